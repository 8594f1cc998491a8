//! Import fixtures: organizations, projects, people and keys with values that no other run has.

use serde_json::{Value, json};
use std::io::Read;

/// `length` random hexadecimal digits.
pub(crate) fn random_hex(length: usize) -> String {
    let mut bytes = vec![0; length.div_ceil(2)];
    let mut source = std::fs::File::open("/dev/urandom").expect("random bytes");
    source.read_exact(&mut bytes).expect("random bytes");
    let mut text: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    text.truncate(length);
    text
}

/// A new Ocriva key.
pub(crate) fn ocriva_key() -> String {
    format!("ocr_{}", random_hex(64))
}

/// A new oCore key.
pub(crate) fn ocore_key() -> String {
    format!("ocore_k_{}", random_hex(64))
}

/// The e-mail address of a person of a fixture.
pub(crate) fn email(name: &str) -> String {
    format!("{name}@example.com")
}

/// A fixture under construction.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fixture {
    organizations: Vec<Organization>,
}

/// One organization of a fixture.
#[derive(Debug, Clone)]
pub(crate) struct Organization {
    pub(crate) id: String,
    slug: String,
    projects: Vec<Value>,
    members: Vec<Value>,
    tokens: Vec<Value>,
}

impl Fixture {
    /// Adds an organization.
    pub(crate) fn with(mut self, organization: Organization) -> Self {
        self.organizations.push(organization);
        self
    }

    /// The text of the file: YAML, in the part of it that is also JSON.
    pub(crate) fn text(&self) -> String {
        let list: Vec<Value> = self.organizations.iter().map(Organization::value).collect();
        json!({ "organizations": list }).to_string()
    }
}

impl Organization {
    /// An empty one.
    pub(crate) fn new(id: &str, slug: &str) -> Self {
        Self { id: id.into(), slug: slug.into(), projects: vec![], members: vec![], tokens: vec![] }
    }

    /// Adds a project.
    pub(crate) fn project(&mut self, id: &str, name: &str, description: Option<&str>, active: bool) {
        let mut project = json!({ "id": id, "name": name, "isActive": active });
        if let Some(text) = description {
            project["description"] = json!(text);
        }
        self.projects.push(project);
    }

    /// Adds a person, without a password: hashing one costs a second in a debug build, and nobody logs in here.
    pub(crate) fn member(&mut self, name: &str, role: &str) {
        self.members.push(json!({ "email": email(name), "name": name, "role": role }));
    }

    /// Adds a person who can log in.
    pub(crate) fn member_with_password(&mut self, name: &str, role: &str, password: &str) {
        self.member(name, role);
        self.password(name, password);
    }

    /// Gives a person that was added a password.
    pub(crate) fn password(&mut self, name: &str, password: &str) {
        let person = self.members.iter_mut().find(|person| person["email"] == json!(email(name)));
        person.expect("the person")["password"] = json!(password);
    }

    /// Says whether a person that was added is active.
    pub(crate) fn set_active(&mut self, name: &str, active: bool) {
        let person = self.members.iter_mut().find(|person| person["email"] == json!(email(name)));
        person.expect("the person")["isActive"] = json!(active);
    }

    /// Adds a key with what `more` says about it.
    pub(crate) fn token(&mut self, value: &str, more: Value) {
        let mut token = json!({
            "name": format!("key {}", self.tokens.len()), "type": "organization",
            "permissions": ["read"], "scopes": ["documents"], "value": value,
        });
        if value.starts_with("ocore_") {
            token = json!({ "name": format!("key {}", self.tokens.len()), "kind": "ocore", "value": value,
                "permissions": ["view:servers"] });
        }
        let members = token.as_object_mut().expect("an object");
        for (name, value) in more.as_object().expect("an object") {
            members.insert(name.clone(), value.clone());
        }
        self.tokens.push(token);
    }

    /// Adds an organization key and gives its value.
    pub(crate) fn org_key(&mut self) -> String {
        let key = ocriva_key();
        self.token(&key, json!({}));
        key
    }

    /// Adds a key of one project and gives its value.
    pub(crate) fn project_key(&mut self, project: &str) -> String {
        let key = ocriva_key();
        self.token(&key, json!({ "type": "project", "projectId": project }));
        key
    }

    fn value(&self) -> Value {
        json!({
            "id": self.id, "slug": self.slug, "name": format!("Organization {}", self.slug),
            "projects": self.projects, "members": self.members, "tokens": self.tokens,
        })
    }
}
