// The page with the build's own GraphiQL, which needs no other host.

import { GraphiQL } from "graphiql";
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
  return { plugins: [plugin], visiblePlugin: log.organization && ROOM_FOR_EVENTS.matches ? plugin : undefined };
});
