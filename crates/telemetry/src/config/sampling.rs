//! Which traces are exported.

use super::read::{Environment, ratio};
use crate::error::ConfigError;
use crate::sampling::Sampling;

/// Reads what holds for every destination.
pub(super) fn sampling(env: &mut Environment<'_>) -> Result<Sampling, ConfigError> {
    const SAMPLER: &str = "OTEL_TRACES_SAMPLER";
    const ARGUMENT: &str = "OTEL_TRACES_SAMPLER_ARG";
    let sampler = env.get(SAMPLER).unwrap_or_default();
    let root = sampler.strip_prefix("parentbased_");
    let mut follows_parent = root.is_some();
    let share = match root.unwrap_or(&sampler) {
        "" | "always_on" => 1.0,
        "always_off" => 0.0,
        "traceidratio" => match env.get(ARGUMENT) {
            Some(value) => ratio(&value).unwrap_or_else(|| {
                env.warn(ARGUMENT, &value, "it counts as 1; write a number from 0 to 1");
                1.0
            }),
            None => 1.0,
        },
        _ => {
            let expected = "it counts as always_on; write always_on, always_off or traceidratio, or one of them after \
                            parentbased_";
            env.warn(SAMPLER, &sampler, expected);
            follows_parent = false;
            1.0
        }
    };
    let sampling = Sampling::ratio(share).following_parent(follows_parent);
    let keeps_errors = env.boolean("GLASSBOX_KEEP_ERRORS")? == Some(true);
    Ok(if keeps_errors { sampling.keeping_errors() } else { sampling })
}
