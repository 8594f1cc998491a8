//! One order, from the account to the certificate.

use super::{Challenge, Front};
use crate::config::{Acme, AcmeChallenge};
use crate::control::webhooks::Now;
use crate::store::StoreError;
use crate::store::management::{Issued, Management};
use crate::token::Secret;
use instant_acme::{
    Account, AuthorizationStatus, ChallengeType, Identifier, KeyAuthorization, NewAccount, NewOrder, Order,
    OrderStatus, Problem, RetryPolicy,
};
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, KeyPair};
use std::error::Error;

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// The authority, or the way to it.
    #[error(transparent)]
    Acme(#[from] instant_acme::Error),
    /// The authority has looked, and did not see what it wanted to.
    #[error("the authority could not validate {domain}: {why}")]
    Validation {
        /// Which name.
        domain: String,
        /// What the authority says.
        why: String,
    },
    /// The authority does not offer this challenge.
    #[error("the authority offers no {kind} challenge for {domain}")]
    NoChallenge {
        /// Which name.
        domain: String,
        /// `challenge` of the configuration.
        kind: &'static str,
    },
    /// The authority ends the order without a reason.
    #[error("the authority has ended the order, as {0:?}")]
    Order(OrderStatus),
    /// A key or a request for a certificate.
    #[error("a key or a request for a certificate could not be made")]
    Crypto(#[from] rcgen::Error),
    /// The account in the store.
    #[error("the ACME account in the store does not read")]
    Account(#[from] serde_json::Error),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What came can not be shown.
    #[error("the certificate can not be used: {0}")]
    Unusable(#[source] Box<dyn Error + Send + Sync>),
    /// It took too long.
    #[error("the authority has not answered in time")]
    Time,
}

impl IssueError {
    /// Whether the authority has had enough of us for now.
    pub(super) fn is_rate_limit(&self) -> bool {
        self.problem() == Some("urn:ietf:params:acme:error:rateLimited")
    }

    fn problem(&self) -> Option<&str> {
        match self {
            Self::Acme(instant_acme::Error::Api(Problem { r#type, .. })) => r#type.as_deref(),
            _ => None,
        }
    }

    /// What the operator may do.
    pub(super) fn help(&self, acme: &Acme) -> &'static str {
        match (self, acme.challenge) {
            (_, _) if self.is_rate_limit() => {
                "the authority's limit is reached: wait, and keep the store when you start anew"
            }
            (Self::Validation { .. }, AcmeChallenge::TlsAlpn) => {
                "each name has to lead to this listener, as port 443, with TLS passed on as it is"
            }
            (Self::Validation { .. }, AcmeChallenge::Http) => {
                "each name has to lead to a listener without TLS of this gateway, as port 80"
            }
            (Self::NoChallenge { .. }, _) => "take the other `challenge`",
            (Self::Store(_) | Self::Account(_), _) => "look after the store",
            _ => {
                "see whether `directory` is right and can be reached from here, and whether `ca` is its root"
            }
        }
    }
}

/// Orders a certificate and sees it through. Challenges stay presented.
///
/// # Errors
/// [`IssueError`]
pub(super) async fn certificate(
    store: &dyn Management,
    front: &dyn Front,
    acme: &Acme,
    now: &Now,
) -> Result<Issued, IssueError> {
    let account = account(store, acme).await?;
    let identifiers: Vec<_> = acme.domains.iter().map(|domain| Identifier::Dns(domain.to_string())).collect();
    let mut order = match account.new_order(&NewOrder::new(&identifiers)).await.map_err(IssueError::from) {
        Err(error) if error.problem() == Some("urn:ietf:params:acme:error:accountDoesNotExist") => {
            // Made anew with the next attempt.
            store.keep_acme_account(&acme.directory, None).await?;
            return Err(error);
        }
        order => order?,
    };
    prove(&mut order, front, acme).await?;
    let key = KeyPair::generate()?;
    let domains: Vec<_> = acme.domains.iter().map(|domain| domain.to_string()).collect();
    let mut request = CertificateParams::new(domains)?;
    request.distinguished_name = DistinguishedName::new();
    order.finalize_csr(request.serialize_request(&key)?.der()).await?;
    let chain = order.poll_certificate(&RetryPolicy::default()).await?;
    Ok(Issued { chain, key: Secret::new(key.serialize_pem()), obtained_ms: now().unix_ms })
}

/// The account of the store, or a new one.
async fn account(store: &dyn Management, acme: &Acme) -> Result<Account, IssueError> {
    let builder = match &acme.ca {
        Some(file) => Account::builder_with_root(file)?,
        None => Account::builder()?,
    };
    if let Some(kept) = store.acme_account(&acme.directory).await? {
        return Ok(builder.from_credentials(serde_json::from_str(kept.expose())?).await?);
    }
    let contact = acme.email.as_ref().map(|email| format!("mailto:{email}"));
    let contact: Vec<&str> = contact.iter().map(String::as_str).collect();
    let wanted = NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
    let (account, credentials) = builder.create(&wanted, acme.directory.to_string(), None).await?;
    let credentials = Secret::new(serde_json::to_string(&credentials)?);
    store.keep_acme_account(&acme.directory, Some(credentials)).await?;
    tracing::info!(directory = &*acme.directory, "an ACME account was made, and is kept in the store");
    Ok(account)
}

/// Proves to the authority that the names are ours.
async fn prove(order: &mut Order, front: &dyn Front, acme: &Acme) -> Result<(), IssueError> {
    let (kind, wanted) = match acme.challenge {
        AcmeChallenge::TlsAlpn => ("tls-alpn-01", ChallengeType::TlsAlpn01),
        AcmeChallenge::Http => ("http-01", ChallengeType::Http01),
    };
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let domain = authorization.identifier().to_string();
        let Some(mut challenge) = authorization.challenge(wanted.clone()) else {
            return Err(IssueError::NoChallenge { domain, kind });
        };
        let token = challenge.token.clone();
        let presented = presented(acme.challenge, domain, token, &challenge.key_authorization())?;
        front.present(presented).map_err(IssueError::Unusable)?;
        challenge.set_ready().await?;
    }
    match order.poll_ready(&RetryPolicy::default()).await {
        Ok(OrderStatus::Ready) => Ok(()),
        Ok(status) => Err(why(order).await.unwrap_or(IssueError::Order(status))),
        Err(error) => Err(why(order).await.unwrap_or(IssueError::Acme(error))),
    }
}

fn presented(
    kind: AcmeChallenge,
    domain: String,
    token: String,
    proof: &KeyAuthorization,
) -> Result<Challenge, IssueError> {
    if kind == AcmeChallenge::Http {
        return Ok(Challenge::Http { token, authorization: proof.as_str().to_owned() });
    }
    let key = KeyPair::generate()?;
    let mut parameters = CertificateParams::new([domain.clone()])?;
    parameters.custom_extensions = vec![CustomExtension::new_acme_identifier(proof.digest().as_ref())];
    let certificate = parameters.self_signed(&key)?.der().to_vec();
    Ok(Challenge::Tls { domain, certificate, key: Secret::new(key.serialize_pem()) })
}

/// What the authority says of the names that it did not validate.
async fn why(order: &mut Order) -> Option<IssueError> {
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        if authorization.refresh().await.is_err() || authorization.status != AuthorizationStatus::Invalid {
            continue;
        }
        let problem = authorization.challenges.iter().find_map(|challenge| challenge.error.as_ref());
        let why = problem.map_or_else(|| "no reason was given".to_owned(), ToString::to_string);
        return Some(IssueError::Validation { domain: authorization.identifier().to_string(), why });
    }
    None
}
