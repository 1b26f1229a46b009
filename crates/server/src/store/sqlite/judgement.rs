//! Which scores are asked for, as SQL. Values are in JSON.

use super::condition::Where;
use super::row;
use crate::store::{ScoreKind, ScoreQuery, ScoreValue};
use rusqlite::types::Value;

/// The environment of what names none.
pub(super) const DEFAULT_ENVIRONMENT: &str = "default";

pub(super) fn wanted(query: &ScoreQuery) -> Where {
    let mut all = Where { sql: "1".to_owned(), values: Vec::new() };
    let texts = |texts: &[String]| texts.iter().cloned().map(Value::Text).collect();
    one_of(
        &mut all,
        "x.trace_id",
        query.trace_ids.iter().map(|id| Value::Blob(id.to_bytes().to_vec())).collect(),
    );
    if query.is_alone {
        all.and("NOT EXISTS (SELECT 1 FROM traces t WHERE t.trace_id = x.trace_id)", []);
    }
    let spans = query.span_ids.iter().map(|id| Value::Integer(row::span_number(*id))).collect();
    one_of(&mut all, "x.span_id", spans);
    one_of(&mut all, "x.name", texts(&query.names));
    one_of(&mut all, "x.id", texts(&query.ids));
    one_of(
        &mut all,
        &format!(
            "COALESCE((SELECT t.environment FROM traces t WHERE t.trace_id = x.trace_id), '{DEFAULT_ENVIRONMENT}')"
        ),
        texts(&query.environments),
    );
    if let Some(user) = &query.user_id {
        let user = Value::Text(user.clone());
        all.and("(SELECT t.user_id FROM traces t WHERE t.trace_id = x.trace_id) = ?", [user]);
    }
    either(&mut all, query.kinds.iter().map(|kind| (of_kind(*kind).to_owned(), Vec::new())));
    either(&mut all, query.values.iter().map(equal));
    for (compared, bound) in [(">=", query.min), ("<=", query.max)] {
        if let Some(bound) = bound {
            let number = of_kind(ScoreKind::Number);
            let sql = format!("({number} AND json_extract(x.value, '$') {compared} ?)");
            all.and(&sql, [Value::Real(bound)]);
        }
    }
    if let Some(from) = query.from_us {
        all.and("x.at_us >= ?", [Value::Integer(from)]);
    }
    if let Some(to) = query.to_us {
        all.and("x.at_us < ?", [Value::Integer(to)]);
    }
    all
}

fn one_of(all: &mut Where, column: &str, values: Vec<Value>) {
    if !values.is_empty() {
        all.and(&format!("{column} IN (?{})", ", ?".repeat(values.len() - 1)), values);
    }
}

fn either(all: &mut Where, conditions: impl Iterator<Item = (String, Vec<Value>)>) {
    let (sql, values): (Vec<_>, Vec<_>) = conditions.unzip();
    if !sql.is_empty() {
        all.and(&format!("({})", sql.join(" OR ")), values.into_iter().flatten());
    }
}

const fn of_kind(kind: ScoreKind) -> &'static str {
    match kind {
        ScoreKind::Number => "json_type(x.value) IN ('integer', 'real')",
        ScoreKind::Flag => "json_type(x.value) IN ('true', 'false')",
        ScoreKind::Text => "json_type(x.value) = 'text'",
    }
}

fn equal(value: &ScoreValue) -> (String, Vec<Value>) {
    let (kind, value) = match value {
        ScoreValue::Number(number) => (ScoreKind::Number, Value::Real(*number)),
        ScoreValue::Flag(flag) => (ScoreKind::Flag, Value::Integer(i64::from(*flag))),
        ScoreValue::Text(text) => (ScoreKind::Text, Value::Text(text.clone())),
    };
    (format!("({} AND json_extract(x.value, '$') = ?)", of_kind(kind)), vec![value])
}
