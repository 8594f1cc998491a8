//! Reads a fixture: every problem is reported, with its place; raw keys are hashed on the spot.

mod token;

use super::{Fixture, FixtureMember, FixtureOrganization, FixtureProject, rules};
use crate::config::{Code, Document, Problems, Section, Value, Variables};
use crate::token::{Role, Secret};
use std::collections::HashMap;
use std::path::Path;

const ORGANIZATION: [&str; 6] = ["id", "slug", "name", "projects", "members", "tokens"];
const PROJECT: [&str; 4] = ["id", "name", "description", "isActive"];
const MEMBER: [&str; 5] = ["email", "name", "password", "role", "isActive"];
const ROLES: [&str; 4] = ["owner", "admin", "developer", "viewer"];

/// Reads a fixture. `file_name` is where it came from: diagnostics show it, and `${file:…}` is read beside it.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse(source: &str, file_name: &str) -> Result<Fixture, Problems> {
    let folder = Path::new(file_name).parent().unwrap_or(Path::new("."));
    let document =
        Document::read(source, file_name, &Variables::new(folder, &|name| std::env::var(name).ok()));
    let made = document.root().and_then(|root| Reader::default().fixture(&root));
    document.finish(made)
}

/// What has to be unique in the whole file, with the line where it stands.
#[derive(Default)]
struct Reader {
    seen: HashMap<(&'static str, String), usize>,
    people: HashMap<String, Person>,
}

/// A person may be a member of several organizations, but is one person.
struct Person {
    line: usize,
    name: String,
    password: Option<Secret>,
    active: Option<bool>,
}

impl Reader {
    fn fixture(&mut self, root: &Value<'_>) -> Option<Fixture> {
        let section = root.section(&["organizations"])?;
        let items = section.required("organizations")?.items()?;
        let organizations = items.iter().filter_map(|item| self.organization(item)).collect();
        Some(Fixture { organizations })
    }

    fn organization(&mut self, value: &Value<'_>) -> Option<FixtureOrganization> {
        let section = value.section(&ORGANIZATION)?;
        let id = self.required_id(&section, "organization");
        let slug = section.required("slug").and_then(|value| {
            let slug = rules::slug(&value)?;
            self.once(&value, "slug", slug.clone())?;
            Some(slug)
        });
        let name = section.required("name").and_then(|name| rules::text(&name, 2..=100));
        let projects: Vec<_> = section.items("projects").iter().filter_map(|p| self.project(p)).collect();
        let members: Vec<_> = section.items("members").iter().filter_map(|m| self.member(m, value)).collect();
        let home = token::Home::of(&section);
        let tokens = section.items("tokens").iter().filter_map(|token| self.token(token, &home)).collect();
        Some(FixtureOrganization {
            at: rules::position(value),
            id: id?.into(),
            slug: slug?,
            name: name?,
            projects,
            members,
            tokens,
        })
    }

    fn project(&mut self, value: &Value<'_>) -> Option<FixtureProject> {
        let section = value.section(&PROJECT)?;
        let id = self.required_id(&section, "project");
        let name = section.required("name").and_then(|name| rules::text(&name, 1..=100));
        let description = section.optional("description", description);
        let active = section.optional("isActive", Value::boolean);
        Some(FixtureProject { at: rules::position(value), id: id?.into(), name: name?, description, active })
    }

    fn member(&mut self, value: &Value<'_>, home: &Value<'_>) -> Option<FixtureMember> {
        let section = value.section(&MEMBER)?;
        let email = section.required("email").and_then(|value| {
            let email = rules::email(&value)?;
            self.once(&value, "member", format!("{} {}", home.path(), email.to_lowercase()))?;
            Some(email)
        });
        let name = section.required("name").and_then(|name| rules::text(&name, 1..=100));
        let password = section.optional("password", |value| rules::password(value).map(Secret::from));
        let role = section.required("role").and_then(|role| role.choice(&ROLES)).and_then(Role::from_name);
        let active = section.optional("isActive", Value::boolean);
        let member = FixtureMember {
            at: rules::position(value),
            email: email?,
            name: name?,
            password,
            role: role?,
            active,
        };
        self.one_person(value, &member).then_some(member)
    }

    /// Whether the file says the same of this person everywhere: otherwise each import would alter them to and fro.
    fn one_person(&mut self, value: &Value<'_>, member: &FixtureMember) -> bool {
        let here = Person {
            line: value.line(),
            name: member.name.clone(),
            password: member.password.clone(),
            active: member.active,
        };
        let Some(there) = self.people.get(&member.email.to_lowercase()) else {
            self.people.insert(member.email.to_lowercase(), here);
            return true;
        };
        let same = there.name == here.name
            && (here.password.is_none() || here.password == there.password)
            && (here.active.is_none() || here.active == there.active);
        if !same {
            let message = format!(
                "`{}` stands on line {} with another name, password or state",
                member.email, there.line
            );
            value.report(Code::Conflict, message, Some("say the same in both places"));
        }
        same
    }

    fn required_id(&mut self, section: &Section<'_>, kind: &'static str) -> Option<String> {
        let value = section.required("id")?;
        let id = rules::id(&value)?;
        self.once(&value, kind, id.clone())?;
        Some(id)
    }

    /// Reports what stands a second time among its `kind` in the file.
    fn once(&mut self, value: &Value<'_>, kind: &'static str, text: String) -> Option<()> {
        if let Some(line) = self.seen.get(&(kind, text.clone())) {
            let message = format!("this {kind} stands already on line {line}");
            value.report(Code::Conflict, message, Some("each may stand once"));
            return None;
        }
        self.seen.insert((kind, text), value.line());
        Some(())
    }
}

fn description(value: &Value<'_>) -> Option<String> {
    // `description: ~` says the same as leaving it out.
    if value.is_null() { None } else { rules::text(value, 0..=500) }
}
