//! What models of the same provider, address and key share: limits, pauses and failures.

use crate::lm::breaker::Circuit;
use crate::lm::limit::{Limiter, Limits};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};
use url::Url;

/// A key at a provider, as far as it is shared in the process.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) limiter: Limiter,
    pub(crate) circuit: Circuit,
}

/// Provider, address, and a hash of the key: the key itself is kept nowhere but where it is sent from.
type Id = (&'static str, Url, [u8; 32]);

/// Accounts as long as a model has them.
static ACCOUNTS: LazyLock<Mutex<HashMap<Id, Weak<Account>>>> = LazyLock::new(Mutex::default);

impl Account {
    /// Makes an account that nobody shares.
    pub(crate) fn alone() -> Arc<Self> {
        Arc::new(Self { limiter: Limiter::unlimited(), circuit: Circuit::default() })
    }

    /// Returns the account of a key, at least as strict as these limits.
    pub(crate) fn of(
        provider: &'static str,
        base_url: &Url,
        key: &SecretString,
        limits: Limits,
    ) -> Arc<Self> {
        let hash = Sha256::digest(key.expose_secret().as_bytes()).into();
        let mut accounts = ACCOUNTS.lock().unwrap_or_else(PoisonError::into_inner);
        accounts.retain(|_, account| account.strong_count() > 0);
        let known = accounts.entry((provider, base_url.clone(), hash)).or_default();
        let account = known.upgrade().unwrap_or_else(Self::alone);
        *known = Arc::downgrade(&account);
        account.limiter.tighten(limits);
        account
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn provider_address_and_key_make_an_account() {
        let account = |provider, url: &str, key: &str, concurrency| {
            let limits = Limits { concurrency, ..Limits::default() };
            Account::of(provider, &url.parse().unwrap(), &SecretString::from(key), limits)
        };
        let one = account("openai", "http://one.example/v1/", "key", Some(4));
        let same = account("openai", "http://one.example/v1/", "key", Some(2));
        assert!(Arc::ptr_eq(&one, &same));
        assert_eq!(one.limiter.concurrency(), Some(2));
        for other in [
            account("openai", "http://one.example/v1/", "another key", None),
            account("openai", "http://two.example/v1/", "key", None),
            account("groq", "http://one.example/v1/", "key", None),
        ] {
            assert!(!Arc::ptr_eq(&one, &other));
        }
        // Limits go with the models that had them.
        drop((one, same));
        let later = account("openai", "http://one.example/v1/", "key", None);
        assert_eq!(later.limiter.concurrency(), None);
    }
}
