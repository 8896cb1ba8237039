// The page with the build's own GraphiQL, which needs no other host.

import { GraphiQL, HISTORY_PLUGIN } from "graphiql";
import { parse } from "graphql";
import { createClient } from "graphql-ws";
import { createElement } from "react";
import { createRoot } from "react-dom/client";
import { EventLog } from "./event-log.js";
import { showGraphiQL } from "./graphiql.js";
import { letEscapeLeaveEditors } from "./leave-editor.js";
import { liveEvents } from "./live-events.jsx";
import "graphiql/style.css";
import "./style.css";

const ROOM_FOR_EVENTS = matchMedia("(min-width: 1100px)");

globalThis.MonacoEnvironment = {
  getWorker: (_id, label) => new Worker(new URL(WORKER_FILES[label] ?? WORKER_FILES.editor, import.meta.url)),
};

letEscapeLeaveEditors();

let log = null;

await showGraphiQL({ createElement, createRoot, createClient, GraphiQL, parse }, (socket, person) => {
  log?.close();
  log = new EventLog(socket, person?.organization ?? null);
  const plugin = liveEvents(log);
  // The history is kept where all that is typed is: in the page's memory, as long as this person is signed in.
  const shown = log.organization && ROOM_FOR_EVENTS.matches ? plugin : undefined;
  return { plugins: [HISTORY_PLUGIN, plugin], visiblePlugin: shown };
});
