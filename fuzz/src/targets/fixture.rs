//! Fixtures: what is accepted holds the rules of what is stored, and nothing that is raw in it can be read from it.

use super::text;
use portcullis::store::import::{is_email, is_slug, parse};
use std::collections::HashSet;

pub(crate) fn check(data: &[u8]) {
    // What the environment holds is not the same on each machine.
    let Some(source) = text(data).filter(|source| !source.contains("${")) else { return };
    match parse(source, "/nonexistent/fixture.yaml") {
        Ok(fixture) => {
            let (mut ids, mut slugs, mut values) = (HashSet::new(), HashSet::new(), HashSet::new());
            for organization in &fixture.organizations {
                assert!(is_slug(&organization.slug) && slugs.insert(&organization.slug));
                assert!(ids.insert(("organization", organization.id.as_str())));
                for project in &organization.projects {
                    assert!(ids.insert(("project", project.id.as_str())), "{project:?}");
                }
                assert!(organization.members.iter().all(|member| is_email(&member.email)));
                for token in &organization.tokens {
                    assert!(values.insert(token.digest), "one value stands for two keys");
                    assert!(!token.name.is_empty() && token.name.chars().count() <= 100);
                    let project = token.reach.project();
                    let own = organization.projects.iter().any(|known| Some(&known.id) == project);
                    assert!(project.is_none() || own, "a key for a project of nobody's");
                }
            }
            let again = parse(source, "/nonexistent/fixture.yaml").expect("it was accepted before");
            assert_eq!(format!("{fixture:?}"), format!("{again:?}"));
        }
        Err(problems) => {
            // A carriage return ends a line of YAML too.
            let lines = source.split(['\n', '\r']).count() + 1;
            assert!(problems.count() > 0 && !problems.to_string().is_empty());
            for problem in problems.iter() {
                assert!((1..=lines).contains(&problem.line) && problem.column > 0, "{problem:?}");
            }
        }
    }
}
