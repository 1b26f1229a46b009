-- The second version: the index by start has all numbers of a trace. So statistics and lists by cost, tokens or duration
-- read narrow rows that lie together, and new ones are still only appended.

DROP INDEX traces_by_start;
CREATE INDEX traces_by_start ON traces (
    start_us, no, state, duration_us, errors, cost, tokens, input, cache_read, cache_write, output, reasoning
)
