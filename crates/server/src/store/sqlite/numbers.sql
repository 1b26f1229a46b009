-- The second version: what lists and statistics read lies together in narrow rows.

-- The index by start has all numbers of a trace; new ones are still only appended.
DROP INDEX traces_by_start;
CREATE INDEX traces_by_start ON traces (
    start_us, no, state, duration_us, spans, errors, cost, tokens, input, cache_read, cache_write, output, reasoning
);

-- All numbers of a model call as one text: see `CallNumbers`. The index has the kind, so that the table is not read.
ALTER TABLE spans ADD COLUMN numbers TEXT;
UPDATE spans SET numbers = format(
    '%s,%s,%s,%s,%s,%s,%s,%s,%s', end_us - start_us, cost, input, cache_read, cache_write, output, reasoning, attempts,
    first_chunk_us
) WHERE kind IN (2, 7);
DROP INDEX calls;
CREATE INDEX calls ON spans (start_us, kind, model, provider, state, numbers) WHERE kind IN (2, 7)
