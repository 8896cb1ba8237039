// A plugin for GraphiQL: the organization's events beside the query, each as soon as it is stored.

import { useSyncExternalStore } from "react";

export function liveEvents(log) {
  return { title: "Live Events", icon: PulseIcon, content: () => <LiveEvents log={log} /> };
}

function LiveEvents({ log }) {
  const { events, problem } = useSyncExternalStore(log.subscribe, () => log.state);
  return (
    <section className="live-events" aria-labelledby="live-events-title">
      <h2 id="live-events-title">Live Events</h2>
      <p className="live-events-caption">{caption(log.organization, problem, events.length)}</p>
      <ol aria-live="polite" aria-label="Events, newest first">
        {events.map((event) => (
          <Event key={event.sequence} event={event} />
        ))}
      </ol>
    </section>
  );
}

function Event({ event }) {
  const { sequence, type, occurredAt, connection, health } = event;
  return (
    <li>
      <span className="live-events-type">{type}</span>
      <span className="live-events-connection">{connection.name}</span>
      {health && <span className={`live-events-health is-${health.status.toLowerCase()}`}>{health.status}</span>}
      {health?.message && <span className="live-events-message">{health.message}</span>}
      <span className="live-events-place">
        #{sequence} · <time dateTime={occurredAt}>{new Date(occurredAt).toLocaleTimeString()}</time>
      </span>
    </li>
  );
}

function caption(organization, problem, count) {
  if (organization === null) return "Sign in to see what happens in your organization.";
  if (problem !== null) return problem;
  if (count === 0) return `Listening to ${organization.slug}. Connect or check something: its events show up here.`;
  return `Listening to ${organization.slug}, by the subscription connectionEvents.`;
}

function PulseIcon(properties) {
  return (
    <svg viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="1.5" {...properties}>
      <path d="M2 12h4l3-8 5 16 3-8h5" strokeLinecap="round" strokeLinejoin="round" />
    </svg>
  );
}
