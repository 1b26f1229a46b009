-- The first version. Times are microseconds since the epoch, money is millionths of a millionth of a dollar.

CREATE TABLE traces (
    no INTEGER PRIMARY KEY,
    trace_id BLOB NOT NULL UNIQUE,
    name TEXT NOT NULL DEFAULT '',
    state INTEGER NOT NULL DEFAULT 0,
    start_us INTEGER NOT NULL DEFAULT 0,
    end_us INTEGER,
    duration_us INTEGER,
    spans INTEGER NOT NULL DEFAULT 0,
    open_spans INTEGER NOT NULL DEFAULT 0,
    errors INTEGER NOT NULL DEFAULT 0,
    model_calls INTEGER NOT NULL DEFAULT 0,
    retries INTEGER NOT NULL DEFAULT 0,
    cache_hits INTEGER NOT NULL DEFAULT 0,
    input INTEGER,
    cache_read INTEGER,
    cache_write INTEGER,
    output INTEGER,
    reasoning INTEGER,
    tokens INTEGER NOT NULL DEFAULT 0,
    cost INTEGER,
    -- JSON arrays and an object.
    models TEXT NOT NULL DEFAULT '[]',
    tags TEXT NOT NULL DEFAULT '[]',
    metadata TEXT NOT NULL DEFAULT '{}',
    session_id TEXT,
    user_id TEXT,
    environment TEXT,
    release TEXT,
    version TEXT,
    service TEXT,
    input_preview TEXT,
    output_preview TEXT,
    seq INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX traces_by_start ON traces (start_us, no);
CREATE INDEX traces_by_session ON traces (session_id, start_us) WHERE session_id IS NOT NULL;
CREATE INDEX traces_by_user ON traces (user_id, start_us) WHERE user_id IS NOT NULL;
CREATE INDEX traces_open ON traces (no) WHERE open_spans > 0;

CREATE TABLE spans (
    id INTEGER PRIMARY KEY,
    span_id INTEGER NOT NULL,
    parent_id INTEGER,
    flags INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    state INTEGER NOT NULL,
    -- What may replace it: see `Rank`.
    rank INTEGER NOT NULL,
    digest INTEGER NOT NULL,
    name TEXT NOT NULL,
    start_us INTEGER NOT NULL,
    end_us INTEGER,
    model TEXT,
    provider TEXT,
    tool TEXT,
    input INTEGER,
    cache_read INTEGER,
    cache_write INTEGER,
    output INTEGER,
    reasoning INTEGER,
    cost INTEGER,
    attempts INTEGER,
    first_chunk_us INTEGER,
    error_type TEXT,
    error_message TEXT,
    -- Phases, notes and what is odd, a JSON object.
    extra TEXT,
    input_preview TEXT,
    output_preview TEXT,
    context INTEGER NOT NULL,
    origin INTEGER NOT NULL,
    -- Where the payload is.
    block INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    length INTEGER NOT NULL
);
-- All that statistics on model calls need. Kinds 2 and 7 are generations and embeddings.
CREATE INDEX calls ON spans (
    start_us, model, provider, state, end_us, input, cache_read, cache_write, output, reasoning, cost,
    attempts, first_chunk_us
) WHERE kind IN (2, 7);

-- What the spans of a trace share; its id begins with the trace's number.
CREATE TABLE contexts (
    id INTEGER PRIMARY KEY,
    json TEXT NOT NULL
);

CREATE TABLE origins (
    no INTEGER PRIMARY KEY,
    digest INTEGER NOT NULL UNIQUE,
    resource BLOB NOT NULL,
    scope BLOB NOT NULL
);

-- Payloads, several spans compressed together.
CREATE TABLE blocks (
    no INTEGER PRIMARY KEY,
    -- How many of its payloads are still in use.
    live INTEGER NOT NULL,
    -- For each span: id, offset and length, 16 bytes.
    directory BLOB NOT NULL,
    data BLOB NOT NULL
);

CREATE TABLE scores (
    id TEXT PRIMARY KEY,
    trace_id BLOB NOT NULL,
    span_id INTEGER,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    comment TEXT,
    at_us INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX scores_by_trace ON scores (trace_id);

CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO meta VALUES ('seq', 0), ('indexed', 0);

-- Words of names and payloads; the row is the span's id.
CREATE VIRTUAL TABLE texts USING fts5 (
    text, content = '', contentless_delete = 1, detail = 'none', tokenize = 'unicode61 remove_diacritics 2'
)
