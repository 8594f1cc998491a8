//! Second factors: asked for by a login, set up and given up by their person.

use super::{LoggedIn, Sessions};
use crate::clock::Moment;
use crate::control::domain::{By, DomainError, Origin, Violation};
use crate::store::management::{FactorChange, Member, SecondFactor, Written};
use crate::token::{Digest, Secret, totp};

/// What authenticators show beside the code.
const ISSUER: &str = "oCore";
const RECOVERY_CODES: usize = 8;

const ON_ALREADY: &str = "The second factor is on already. Switch it off first.";
const OFF: &str = "There is no second factor to do this with. Set one up first.";

/// What an authenticator is set up with; shown once.
#[derive(Debug)]
pub struct Enrolment {
    /// Base32.
    pub secret: Secret,
    /// The same as a URL.
    pub url: Secret,
}

impl Sessions {
    /// The second step of a login: a code of the authenticator, or a recovery code.
    ///
    /// # Errors
    /// [`DomainError::WrongCode`], [`DomainError::TooManyAttempts`]; the store's.
    pub async fn log_in_with_code(
        &self,
        partial: &Secret,
        code: &Secret,
        origin: &Origin,
        now: Moment,
    ) -> Result<LoggedIn, DomainError> {
        let login = self.try_partial(partial, now).await?;
        let person = &login.person;
        let attempt = self.attempts.begin_code(person, now).map_err(DomainError::TooManyAttempts)?;
        let factor = self.store.second_factor(person).await?.filter(|factor| factor.enabled);
        let member = self.store.member(person).await?.filter(|member| member.active);
        let (Some(factor), Some(member)) = (factor, member) else { return Err(DomainError::WrongCode) };
        if !self.take_code(&member, &factor, code, origin, now).await? {
            return Err(DomainError::WrongCode);
        }
        self.end_partial(&login).await?;
        self.attempts.forgive(attempt);
        match self.begin(person, login.password, origin, now).await {
            Err(DomainError::WrongPassword) => Err(DomainError::WrongCode),
            begun => begun,
        }
    }

    /// Takes a code, which is then good no more; false when it is wrong.
    async fn take_code(
        &self,
        member: &Member,
        factor: &SecondFactor,
        code: &Secret,
        origin: &Origin,
        now: Moment,
    ) -> Result<bool, DomainError> {
        let typed = code.expose().trim();
        let step = totp::step_of(&factor.secret, typed, now);
        let six_digits = typed.len() == 6 && typed.bytes().all(|byte| byte.is_ascii_digit());
        let (change, action) = match step {
            Some(step) => (FactorChange::Taken(step), "auth.totp_used"),
            None if six_digits => {
                self.note_wrong_code(member, origin, now).await?;
                return Ok(false);
            }
            None => {
                let digest = Digest::of(totp::recovery_code(typed).expose());
                (FactorChange::RecoveryTaken(digest), "auth.recovery_code_used")
            }
        };
        let entry = Self::own_entry(member, "", action, origin, now);
        let taken = self.store.change_factor(&member.id, change, entry).await? == Written::Done;
        if !taken {
            self.note_wrong_code(member, origin, now).await?;
        }
        Ok(taken)
    }

    async fn note_wrong_code(
        &self,
        member: &Member,
        origin: &Origin,
        now: Moment,
    ) -> Result<(), DomainError> {
        let entry = Self::own_entry(member, "", "auth.login_failed", origin, now);
        Ok(self.store.append_audit(entry).await?)
    }

    /// Shares a new secret with a person's authenticator; it counts when a code of it was [shown](Self::enable_totp).
    ///
    /// # Errors
    /// [`DomainError::Conflict`] when there is one already; those of [`recheck`](Self::recheck).
    pub async fn begin_totp(&self, by: &By, password: Secret) -> Result<Enrolment, DomainError> {
        let member = self.recheck(by, password).await?;
        let secret = totp::new_secret().map_err(|error| DomainError::Internal(Box::new(error)))?;
        self.change(by, &member, FactorChange::Begun(secret.clone()), "auth.totp_begun", ON_ALREADY).await?;
        let url = totp::url(&secret, ISSUER, &member.email);
        Ok(Enrolment { secret, url })
    }

    /// Has logins ask for the second factor, once a code of it is shown. Gives the recovery codes, once.
    ///
    /// # Errors
    /// [`DomainError::Invalid`] for a wrong code, [`DomainError::Conflict`], [`DomainError::TooManyAttempts`]
    pub async fn enable_totp(&self, by: &By, code: &Secret) -> Result<Vec<Secret>, DomainError> {
        let member = self.own(by).await?;
        let attempt = self.attempts.begin_code(&member.id, by.now).map_err(DomainError::TooManyAttempts)?;
        let factor = self.store.second_factor(&member.id).await?.filter(|factor| !factor.enabled);
        let factor = factor.ok_or_else(|| DomainError::Conflict(OFF.to_owned()))?;
        let wrong = || Violation::new("code", "correct", "the code is not the authenticator's present one");
        let step = totp::step_of(&factor.secret, code.expose().trim(), by.now).ok_or_else(wrong)?;
        self.attempts.forgive(attempt);
        let (codes, recovery) = recovery_codes()?;
        let change = FactorChange::Enabled { at_ms: by.now.unix_ms, step, recovery };
        self.change(by, &member, change, "auth.totp_enabled", ON_ALREADY).await?;
        Ok(codes)
    }

    /// New recovery codes in the place of the old ones, shown once.
    ///
    /// # Errors
    /// [`DomainError::Conflict`] when there is no second factor; those of [`recheck`](Self::recheck).
    pub async fn renew_recovery_codes(&self, by: &By, password: Secret) -> Result<Vec<Secret>, DomainError> {
        let member = self.recheck(by, password).await?;
        let (codes, recovery) = recovery_codes()?;
        let change = FactorChange::Recovery(recovery);
        self.change(by, &member, change, "auth.recovery_codes_renewed", OFF).await?;
        Ok(codes)
    }

    /// Has logins ask for the password alone.
    ///
    /// # Errors
    /// [`DomainError::Conflict`] when they do already; those of [`recheck`](Self::recheck).
    pub async fn disable_totp(&self, by: &By, password: Secret) -> Result<(), DomainError> {
        let member = self.recheck(by, password).await?;
        self.change(by, &member, FactorChange::Disabled, "auth.totp_disabled", OFF).await
    }

    async fn change(
        &self,
        by: &By,
        member: &Member,
        change: FactorChange,
        action: &'static str,
        otherwise: &'static str,
    ) -> Result<(), DomainError> {
        let session = by.session().unwrap_or_default();
        let entry = Self::own_entry(member, session, action, &by.origin, by.now);
        match self.store.change_factor(&member.id, change, entry).await? {
            Written::Done => Ok(()),
            Written::Moved | Written::Taken => Err(DomainError::Conflict(otherwise.to_owned())),
        }
    }
}

type Codes = (Vec<Secret>, Vec<Digest>);

/// The codes, and what is kept of them.
fn recovery_codes() -> Result<Codes, DomainError> {
    let mut codes = Vec::new();
    for _ in 0..RECOVERY_CODES {
        codes.push(totp::new_recovery_code().map_err(|error| DomainError::Internal(Box::new(error)))?);
    }
    let digest = |code: &Secret| Digest::of(totp::recovery_code(code.expose()).expose());
    let digests = codes.iter().map(digest).collect();
    Ok((codes, digests))
}
