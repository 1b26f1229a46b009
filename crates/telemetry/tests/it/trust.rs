//! Servers whose certificate is by an authority of one's own.

use crate::receiver::Receiver;
use crate::spans::{child, end, health, observe, quick};
use crate::tls::Tls;
use glassbox_telemetry::config::Settings;
use glassbox_telemetry::destination::{Destination, LangfuseConfig};
use glassbox_telemetry::limits::Limits;
use std::time::Duration;

const WAIT: Duration = Duration::from_secs(5);

fn tls(receiver: &Receiver) -> Tls {
    let address = receiver.base.strip_prefix("http://").unwrap().parse().unwrap();
    Tls::in_front_of(address, &["localhost"])
}

/// A Langfuse that is given up soon.
fn langfuse(tls: &Tls) -> Destination {
    let config = LangfuseConfig {
        base_url: format!("https://localhost:{}", tls.address.port()),
        ..LangfuseConfig::new("pk-lf-1", "sk-lf-2")
    };
    let limits = Limits { give_up_after: Duration::from_millis(200), ..quick() };
    Destination::langfuse(config).unwrap().limits(limits)
}

/// What the environment makes of a destination.
fn configured(variables: &[(&str, &str)]) -> Result<Destination, String> {
    let lookup =
        |name: &str| Some(variables.iter().find(|(other, _)| *other == name)?.1.to_owned());
    let settings = Settings::from_lookup(lookup).map_err(|error| error.to_string())?;
    Ok(settings.destinations.into_iter().next().unwrap())
}

#[track_caller]
fn check_arrives(receiver: &Receiver, destination: Destination) {
    let observing = observe(destination);
    end(&observing, child("over TLS"));
    observing.flush_blocking(WAIT).unwrap();
    assert_eq!(receiver.accepted(), ["over TLS"]);
}

#[test]
fn an_authority_of_ones_own_is_trusted() {
    let receiver = Receiver::ok();
    let tls = tls(&receiver);
    check_arrives(&receiver, langfuse(&tls).ca_certificate(tls.authority()).unwrap());
}

#[test]
fn it_is_trusted_by_variables_too() {
    let langfuse = [("LANGFUSE_PUBLIC_KEY", "pk-lf-1"), ("LANGFUSE_SECRET_KEY", "sk-lf-2")];
    for (address, variable) in [
        ("LANGFUSE_BASE_URL", "GLASSBOX_CA_FILE"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "GLASSBOX_CA_FILE"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_CERTIFICATE"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE"),
    ] {
        let receiver = Receiver::ok();
        let tls = tls(&receiver);
        let url = format!("https://localhost:{}", tls.address.port());
        let authority = tls.authority().to_str().unwrap();
        let mut variables = vec![(address, url.as_str()), (variable, authority)];
        if address == "LANGFUSE_BASE_URL" {
            variables.extend(langfuse);
        }
        check_arrives(&receiver, configured(&variables).unwrap());
    }
}

#[test]
fn the_closest_variable_goes_first() {
    let all = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://localhost:1"),
        ("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "/no/traces"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/no/otlp"),
        ("GLASSBOX_CA_FILE", "/no/any"),
    ];
    for (skipped, expected) in [
        (1, "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE: the file /no/traces cannot be read"),
        (2, "OTEL_EXPORTER_OTLP_CERTIFICATE: the file /no/otlp cannot be read"),
        (3, "GLASSBOX_CA_FILE: the file /no/any cannot be read"),
    ] {
        let variables: Vec<_> = [&all[..1], &all[skipped..]].concat();
        let error = configured(&variables).map(|_| ()).unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn a_stranger_is_not_trusted() {
    let receiver = Receiver::ok();
    let tls = tls(&receiver);
    let observing = observe(langfuse(&tls));
    end(&observing, child("kept back"));
    let error = observing.flush_blocking(WAIT).unwrap_err().to_string();
    assert!(error.contains("invalid peer certificate: UnknownIssuer"), "{error}");
    assert_eq!((receiver.requests().len(), health(&observing).exported), (0, 0));
}

#[test]
fn a_trusted_authority_vouches_for_its_own_names_only() {
    let receiver = Receiver::ok();
    let address = receiver.base.strip_prefix("http://").unwrap().parse().unwrap();
    let tls = Tls::in_front_of(address, &["another.example"]);
    let observing = observe(langfuse(&tls).ca_certificate(tls.authority()).unwrap());
    end(&observing, child("kept back"));
    let error = observing.flush_blocking(WAIT).unwrap_err().to_string();
    assert!(error.contains("invalid peer certificate"), "{error}");
    assert_eq!(receiver.requests().len(), 0);
}
