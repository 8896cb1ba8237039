// Rows as the objects of the schema, for both JavaScript peers; and its scalars.

import { GraphQLScalarType } from "graphql";

export class ServiceConnection {
  __typename = "ServiceConnection";

  constructor(row) {
    this.key = row.id;
    this.organizationKey = row.organization_id;
    this.id = `conn_${row.id}`;
    this.name = row.name;
    this.status = row.status;
    this.statusReason = row.status_reason_code && {
      code: row.status_reason_code,
      message: row.status_reason_message,
      remedy: row.status_reason_remedy,
    };
    this.statusChangedAt = row.status_changed_at;
    this.availableStatuses = AVAILABLE[row.status];
    this.externalAccount = row.account_id && {
      id: row.account_id,
      name: row.account_name,
      url: row.account_url,
      avatarUrl: row.account_avatar_url,
    };
    this.health = {
      status: row.health_status,
      message: row.health_message,
      checkedAt: row.health_checked_at,
      nextCheckAt: row.health_next_check_at,
      latencyMs: row.health_latency_ms,
      consecutiveFailures: row.health_consecutive_failures,
      probes: row.health_probes.map(probe),
    };
    this.grantedScopes = row.granted_scopes;
    this.requiredScopes = row.required_scopes;
    this.missingScopes = row.missing_scopes;
    this.rateLimit = row.rate_limit_limit === null ? null : {
      limit: row.rate_limit_limit,
      remaining: row.rate_limit_remaining,
      resetAt: row.rate_limit_reset_at,
      blockedUntil: row.rate_limit_blocked_until,
    };
    this.labels = row.labels;
    this.settings = row.settings;
    this.version = row.version;
    this.createdAt = row.created_at;
    this.updatedAt = row.updated_at;
  }

  /** Mercurius writes a loader's keys as JSON, which would cost it half of its time with whole connections. */
  toJSON() {
    return this.key;
  }
}

function probe({ name, outcome, code, message, remedy, latency_ms: latencyMs, evidence }) {
  return { name, outcome, code, message, remedy, latencyMs, evidence };
}

const AVAILABLE = {
  PENDING: ["INACTIVE"],
  ACTIVE: ["INACTIVE"],
  INACTIVE: ["ACTIVE"],
  EXPIRED: [],
  REVOKED: [],
  ERROR: ["INACTIVE"],
};

export function credential(row) {
  return {
    id: `cred_${row.id}`,
    kind: row.kind,
    fingerprint: row.fingerprint,
    scopes: row.scopes ?? [],
    expiresAt: row.expires_at,
    refreshExpiresAt: row.refresh_expires_at,
    generation: row.generation,
    rotatedAt: row.rotated_at,
    lastUsedAt: row.last_used_at,
  };
}

export function repository(row) {
  return {
    id: `repo_${row.id}`,
    fullName: row.full_name,
    url: row.url,
    defaultBranch: row.default_branch,
    private: row.private,
    archived: row.archived,
    selected: row.selected,
    syncedAt: row.synced_at,
  };
}

/** A page of connections, of which one more was read than asked for. */
export function page(organizationKey, first, connections) {
  const nodes = connections.slice(0, first);
  return {
    organizationKey,
    nodes,
    pageInfo: {
      hasNextPage: connections.length > first,
      hasPreviousPage: false,
      startCursor: cursor(nodes[0]),
      endCursor: cursor(nodes.at(-1)),
    },
  };
}

function cursor(connection) {
  return connection ? `${connection.key}~${connection.createdAt.toISOString()}` : null;
}

export const scalars = {
  DateTime: new GraphQLScalarType({ name: "DateTime", serialize: (date) => date.toISOString() }),
  JSON: new GraphQLScalarType({ name: "JSON", serialize: (value) => value }),
  URL: new GraphQLScalarType({ name: "URL", serialize: (value) => value }),
};
