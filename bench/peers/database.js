// The statements of both JavaScript peers: five for a page, whatever its size. Prepared by name, as pg recommends.

import pg from "pg";

import { ServiceConnection, credential, repository } from "./objects.js";

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 8 });

export async function organizationBySlug(slug) {
  const { rows } = await pool.query({
    name: "organization",
    text: "select id, slug, name from organizations where slug = $1",
    values: [slug],
  });
  return rows[0] && { ...rows[0], key: rows[0].id, id: `org_${rows[0].id}` };
}

const CONNECTION = `
  organization_id, id, name, status, status_reason_code, status_reason_message, status_reason_remedy,
  status_changed_at, account_id, account_name, account_url, account_avatar_url, required_scopes, granted_scopes,
  missing_scopes, health_status, health_message, health_checked_at, health_next_check_at, health_latency_ms,
  health_consecutive_failures, health_probes, rate_limit_limit, rate_limit_remaining, rate_limit_reset_at,
  rate_limit_blocked_until, labels, settings, version, created_at, updated_at`;

export async function connectionById(id) {
  const { rows } = await pool.query({
    name: "connection",
    text: `select ${CONNECTION} from service_connections where id = $1 and deleted_at is null`,
    values: [id],
  });
  return rows[0] && new ServiceConnection(rows[0]);
}

/** The newest connections of an organization, and one more than asked for where there is one. */
export async function newestConnections(organizationId, first) {
  const { rows } = await pool.query({
    name: "connections",
    text: `select ${CONNECTION} from service_connections where organization_id = $1 and deleted_at is null
           order by created_at desc, id desc limit $2`,
    values: [organizationId, first + 1],
  });
  return rows.map((row) => new ServiceConnection(row));
}

export async function connectionCount(organizationId) {
  const { rows } = await pool.query({
    name: "count",
    text: "select count(*)::integer as count from service_connections where organization_id = $1 and deleted_at is null",
    values: [organizationId],
  });
  return rows[0].count;
}

/** For each of these connections its credential, in their order. */
export async function credentialsOf(connections) {
  const { rows } = await pool.query({
    name: "credentials",
    text: `select c.connection_id, c.id, c.kind, c.fingerprint, c.scopes, c.expires_at, c.refresh_expires_at,
             c.generation, c.rotated_at, c.last_used_at
           from unnest($1::uuid[], $2::uuid[]) k(organization_id, connection_id)
           join service_credentials c using (organization_id, connection_id)`,
    values: keys(connections),
  });
  const found = new Map(rows.map((row) => [row.connection_id, credential(row)]));
  return connections.map((each) => found.get(each.key) ?? null);
}

/** For each of these connections its first repositories by name, in their order; `firsts` says how many of each. */
export async function repositoriesOf(connections, firsts) {
  const { rows } = await pool.query({
    name: "repositories",
    text: `select r.* from unnest($1::uuid[], $2::uuid[], $3::integer[]) k(organization_id, connection_id, first)
           cross join lateral (
             select r.connection_id, r.id, r.full_name, r.url, r.default_branch, r.private, r.archived, r.selected,
               r.synced_at
             from repositories r
             where r.organization_id = k.organization_id and r.connection_id = k.connection_id
             order by r.full_name_key, r.id limit k.first
           ) r`,
    values: [...keys(connections), firsts],
  });
  const found = new Map(connections.map((each) => [each.key, []]));
  for (const row of rows) found.get(row.connection_id).push(repository(row));
  return connections.map((each) => ({ nodes: found.get(each.key) }));
}

function keys(connections) {
  return [connections.map((each) => each.organizationKey), connections.map((each) => each.key)];
}
