//! `/api/auth`, described: sessions, and what people do with their own account.

use super::super::description::*;
use super::super::shape::*;
use super::super::tags::Tag;
use super::done;

const SESSION: Answer =
    answer(200, "Session", "A session, and its cookies for browsers.").with(&[Header::SetCookie]);
const ENDED: Answer = answer(200, "Message", "Done; the cookies are taken back.").with(&[Header::SetCookie]);
const OWN_PASSWORD: Member = required("password", PASSWORD, "The present password, once more.");
const RECOVERY_CODES: &str = "Codes for who has lost the authenticator: shown once, good once each.";

pub(super) const LOG_IN: Description =
    Description::anybody("logInToSession", Tag::OcoreSessions, "Log in with e-mail address and password")
        .about(
            "Begins a session or, where the account has a second factor, its first step. Ten failed logins of one account, or \
             thirty from one address, in a minute are answered 429.",
        )
        .takes(&[
            required("email", TEXT, "The e-mail address of the account."),
            required("password", PASSWORD, "Its password."),
        ])
        .example(r#"{"email":"owner@example.com","password":"correct horse 1"}"#)
        .answers(&[answer(200, "SessionOrPartial", "A session and its cookies, or a token for the second step.")
            .with(&[Header::SetCookie])])
        .refuses(&[401, 403, 429]);

pub(super) const LOG_IN_WITH_CODE: Description =
    Description::anybody("logInWithCode", Tag::OcoreSessions, "The second step of a login")
        .about(
            "A partial token is good for five minutes and five codes. A recovery code does as well as \
             one of the authenticator.",
        )
        .takes(&[
            required("code", Shape::Text(0, ANY, Format::Password), "Six digits, or a recovery code."),
            required("partialToken", TEXT, "What the first step answered."),
        ])
        .example(r#"{"partialToken":"partial_…","code":"123456"}"#)
        .answers(&[SESSION])
        .refuses(&[401, 403, 429]);

pub(super) const REFRESH: Description =
    Description::anybody("refreshSession", Tag::OcoreSessions, "Trade a refresh token for a new pair of tokens")
        .about(
            "A refresh token is good once. One that comes again ends its session, because nobody can tell who of the two has \
             stolen it. Without one in the body, that of the cookie is taken.",
        )
        .may_take(&[nullable("refreshToken", TEXT, "The refresh token; the cookie's where none is given.")])
        .example(r#"{"refreshToken":"refresh_…"}"#)
        .answers(&[answer(200, "SessionOrKept", "A session, and its cookies for browsers. What the console shows in its \
             cookie is answered in cookies alone.").with(&[Header::SetCookie])])
        .refuses(&[401, 403]);

pub(super) const LOG_OUT: Description =
    Description::anybody("logOut", Tag::OcoreSessions, "End the session")
        .leaver()
        .about(
            "Ends the sessions that are shown: by the refresh token in the body or in its cookie, and by the access token. What \
             is no session is as good as ended: the answer is 200 whatever is shown.",
        )
        .may_take(&[nullable("refreshToken", TEXT, "The refresh token; the cookie's where none is given.")])
        .answers(&[ENDED])
        .refuses(&[401, 403]);

pub(super) const FORGOT_PASSWORD: Description =
    Description::anybody("forgotPassword", Tag::OcoreAccount, "Ask for a token to choose a password by")
        .about(
            "Put on record for whoever runs the service, who can hand over a token. Answered alike \
             whether there is such an account.",
        )
        .takes(&[required("email", TEXT, "The e-mail address of the account.")])
        .example(r#"{"email":"owner@example.com"}"#)
        .answers(&[done()])
        .refuses(&[403]);

pub(super) const RESET_PASSWORD: Description =
    Description::anybody("resetPassword", Tag::OcoreAccount, "Choose a password by a token")
        .about("All sessions of the account end.")
        .takes(&[
            required("token", TEXT, "What whoever runs the service handed over."),
            required("password", NEW_PASSWORD, "Has at least one letter and one digit."),
        ])
        .example(r#"{"token":"reset_…","password":"correct horse 2"}"#)
        .answers(&[ENDED])
        .refuses(&[401, 403, 429]);

pub(super) const SIGN_UP: Description = Description::anybody("signUp", Tag::OcoreAccount, "Make an account")
    .about(
        "With an invitation, and a place in its organization with it; `accounts.signup` may ask \
             for none, or allow nobody.",
    )
    .takes(&[
        required("email", EMAIL, "Whatever its case, one account has it."),
        required("name", Shape::Text(1, 100, Format::Free), "Without control characters."),
        required("password", NEW_PASSWORD, "Has at least one letter and one digit."),
        nullable("invitation", TEXT, "The token of an invitation."),
    ])
    .example(
        r#"{"email":"new@example.com","name":"Nora","password":"correct horse 3","invitation":"invite_…"}"#,
    )
    .answers(&[answer(201, "SignedUp", "The account. It is not logged in.")])
    .refuses(&[403, 409, 429]);

pub(super) const ACCEPT_INVITATION: Description =
    Description::person("acceptInvitation", Tag::OcoreAccount, "Join an organization")
        .takes(&[required("token", TEXT, "The token of an invitation.")])
        .example(r#"{"token":"invite_…"}"#)
        .answers(&[answer(200, "Joined", "The organization that one belongs to now.")])
        .refuses(&[404, 409]);

pub(super) const SHOW_ME: Description = Description::person(
    "getMe",
    Tag::OcoreAccount,
    "Who one is, and where one belongs",
)
.answers(&[answer(200, "Me", "The account and its organizations.")]);

pub(super) const CHANGE_PASSWORD: Description =
    Description::person("changePassword", Tag::OcoreAccount, "Choose another password")
        .takes(&[
            required("currentPassword", PASSWORD, "The present password, once more."),
            required("newPassword", NEW_PASSWORD, "Has at least one letter and one digit."),
            optional("revokeOtherSessions", Shape::Flag, "Whether every other session ends."),
        ])
        .example(r#"{"currentPassword":"correct horse 1","newPassword":"correct horse 2"}"#)
        .answers(&[done()])
        .refuses(&[429]);

pub(super) const LIST_SESSIONS: Description = Description::person(
    "listSessions",
    Tag::OcoreAccount,
    "List one's own sessions",
)
.answers(&[answer(200, "SessionList", "The sessions that are alive, oldest first.")]);

pub(super) const REVOKE_SESSIONS: Description =
    Description::person("endOtherSessions", Tag::OcoreAccount, "End every other session of one's own")
        .answers(&[done()]);

pub(super) const REVOKE_SESSION: Description =
    Description::person("endSession", Tag::OcoreAccount, "End a session of one's own")
        .answers(&[done()])
        .refuses(&[404]);

pub(super) const BEGIN_TOTP: Description =
    Description::person("setUpSecondFactor", Tag::OcoreSecondFactor, "Share a secret with an authenticator")
        .about("Takes effect when a code shows that the authenticator has it.")
        .takes(&[OWN_PASSWORD])
        .example(r#"{"password":"correct horse 1"}"#)
        .answers(&[answer(200, "Enrolment", "The secret, shown once.")])
        .refuses(&[409, 429]);

pub(super) const ENABLE_TOTP: Description =
    Description::person("enableSecondFactor", Tag::OcoreSecondFactor, "Have logins ask for a code")
        .takes(&[required(
            "code",
            Shape::Text(0, ANY, Format::Password),
            "The authenticator's present code.",
        )])
        .example(r#"{"code":"123456"}"#)
        .answers(&[answer(200, "RecoveryCodes", RECOVERY_CODES)])
        .refuses(&[409, 429]);

pub(super) const RENEW_RECOVERY_CODES: Description = Description::person(
    "renewRecoveryCodes",
    Tag::OcoreSecondFactor,
    "New recovery codes in the place of the old ones",
)
.takes(&[OWN_PASSWORD])
.example(r#"{"password":"correct horse 1"}"#)
.answers(&[answer(200, "RecoveryCodes", RECOVERY_CODES)])
.refuses(&[409, 429]);

pub(super) const DISABLE_TOTP: Description = Description::person(
    "disableSecondFactor",
    Tag::OcoreSecondFactor,
    "Have logins ask for the password alone",
)
.takes(&[OWN_PASSWORD])
.example(r#"{"password":"correct horse 1"}"#)
.answers(&[done()])
.refuses(&[409, 429]);
