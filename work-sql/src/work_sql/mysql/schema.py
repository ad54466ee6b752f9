"""The tables of MySQL and MariaDB, version by version."""

# ruff: noqa: S608 - names of tables are checked identifiers, and values are parameters

from __future__ import annotations

# Keys are binary: text collations pad with blanks, fold case, or both. The lease stands in no
# index: the writes to a secondary index within a scanned range are where other queues find their
# deadlocks.
_VERSION_1 = """
CREATE TABLE IF NOT EXISTS {table} (
  namespace    VARBINARY(760) NOT NULL,
  queue        VARBINARY(1020) NOT NULL,     -- namespace ':' queue id; after '!': set aside
  id           VARBINARY(1020) NOT NULL,
  enqueued_at  BIGINT NOT NULL,              -- when it is due; all times: microseconds since 1970
  lease_until  BIGINT NOT NULL DEFAULT 0,
  lease_token  BIGINT NOT NULL DEFAULT 0,    -- who holds the lease; 0: nobody
  deliveries   BIGINT NOT NULL DEFAULT 0,
  created_at   BIGINT NOT NULL,
  updated_at   BIGINT NOT NULL,
  retries      BIGINT NOT NULL DEFAULT 0,
  payload      LONGBLOB NOT NULL,
  last_error   LONGTEXT CHARACTER SET utf8mb4 NOT NULL,
  PRIMARY KEY (id, namespace),
  INDEX due (queue, enqueued_at, id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC;
CREATE TABLE IF NOT EXISTS {table}_semaphore (
  namespace VARBINARY(760) NOT NULL,
  `key`     VARBINARY(1020) NOT NULL,
  holder    VARBINARY(1020) NOT NULL,
  `until`   BIGINT NOT NULL,
  PRIMARY KEY (namespace, `key`, holder)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC;
CREATE TABLE IF NOT EXISTS {table}_slot (slot INT PRIMARY KEY) ENGINE = InnoDB;
INSERT IGNORE INTO {table}_slot VALUES {slots};
CREATE TABLE IF NOT EXISTS {table}_once (
  namespace VARBINARY(760) NOT NULL,
  `key`     VARBINARY(1020) NOT NULL,
  owner     VARBINARY(1020) NOT NULL,
  `until`   BIGINT NOT NULL,
  PRIMARY KEY (namespace, `key`),
  INDEX until_ (`until`)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC;
CREATE TABLE IF NOT EXISTS {table}_meta (version BIGINT PRIMARY KEY) ENGINE = InnoDB
"""

VERSIONS = (_VERSION_1,)
"""What leads to each version from the one before; only ever added to."""

SLOTS = 64
"""Rows that stand for semaphores: whoever counts places locks one, chosen by the key."""


def statements(table: str, after: int) -> list[str]:
    """Return the statements that lead from version *after* to the newest."""
    slots = ", ".join(f"({slot})" for slot in range(SLOTS))
    found: list[str] = []
    for version, text in enumerate(VERSIONS[after:], after + 1):
        found += [part.strip() for part in text.format(table=table, slots=slots).split(";\n")]
        found.append(f"INSERT IGNORE INTO {table}_meta (version) VALUES ({version})")
    return found
