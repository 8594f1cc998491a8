//! One view of each organization, shared by all its keys and replaced when it or its projects change.

use crate::store::{Organization, Project};
use crate::token::OrganizationId;
use arc_swap::{ArcSwap, Guard};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// An organization's present view.
#[derive(Debug)]
pub struct OrganizationCell {
    view: ArcSwap<OrganizationView>,
    /// Whether the view is older than a change that could not be read: nothing is accepted by it.
    outdated: AtomicBool,
}

impl OrganizationCell {
    /// The organization as it is now. Takes no lock.
    pub fn load(&self) -> Guard<Arc<OrganizationView>> {
        self.view.load()
    }

    fn show(&self, organization: Organization) {
        self.view.store(Arc::new(OrganizationView::new(organization)));
        self.outdated.store(false, Ordering::Release);
    }

    fn outdated(&self) -> bool {
        self.outdated.load(Ordering::Acquire)
    }
}

/// An organization at one moment, with its projects by id.
#[derive(Debug)]
pub struct OrganizationView {
    /// As the store had it.
    pub organization: Organization,
    /// Places in `organization.projects`, by id.
    by_id: HashMap<Box<str>, usize, foldhash::fast::RandomState>,
}

impl OrganizationView {
    fn new(organization: Organization) -> Self {
        let places = organization.projects.iter().enumerate();
        let by_id = places.map(|(place, project)| (project.id.as_str().into(), place)).collect();
        Self { organization, by_id }
    }

    /// The project of that id, when it is one of this organization's.
    pub fn project(&self, id: &str) -> Option<&Project> {
        self.by_id.get(id).map(|place| &self.organization.projects[*place])
    }
}

/// The cells in use. A cell lives as long as a key of its organization is held.
#[derive(Debug, Default)]
pub(super) struct Organizations(Mutex<Cells>);

#[derive(Debug, Default)]
struct Cells {
    by_id: HashMap<OrganizationId, Weak<OrganizationCell>>,
    /// Grows when any organization changes, so that a view that was read before is not entered after.
    version: u64,
}

impl Organizations {
    fn lock(&self) -> MutexGuard<'_, Cells> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn cell(&self, id: &OrganizationId) -> Option<Arc<OrganizationCell>> {
        self.lock().by_id.get(id).and_then(Weak::upgrade).filter(|cell| !cell.outdated())
    }

    pub(super) fn version(&self) -> u64 {
        self.lock().version
    }

    /// Enters a view that was read at `version`; `None` when something changed since and it has to be read again.
    pub(super) fn insert(&self, organization: Organization, version: u64) -> Option<Arc<OrganizationCell>> {
        let mut cells = self.lock();
        let id = organization.id.clone();
        let known = cells.by_id.get(&id).and_then(Weak::upgrade);
        if let Some(cell) = known.as_ref().filter(|cell| !cell.outdated()) {
            return Some(Arc::clone(cell));
        }
        if cells.version != version {
            return None;
        }
        // The same cell again: what many keys have in common may still hold it.
        if let Some(cell) = known {
            cell.show(organization);
            return Some(cell);
        }
        let view = ArcSwap::from_pointee(OrganizationView::new(organization));
        let cell = Arc::new(OrganizationCell { view, outdated: AtomicBool::new(false) });
        cells.by_id.insert(id, Arc::downgrade(&cell));
        Some(cell)
    }

    /// Says that an organization changed; true when its cell is in use and needs the present view.
    pub(super) fn stale(&self, id: &OrganizationId) -> bool {
        let mut cells = self.lock();
        cells.version += 1;
        cells.by_id.get(id).is_some_and(|cell| cell.strong_count() > 0)
    }

    /// Shows `organization` to every key that holds its cell.
    pub(super) fn replace(&self, organization: Organization) {
        if let Some(cell) = self.held(&organization.id) {
            cell.show(organization);
        }
    }

    /// Has whoever asks for it next read it anew: it changed, and could not be read.
    pub(super) fn outdate(&self, id: &OrganizationId) {
        if let Some(cell) = self.held(id) {
            cell.outdated.store(true, Ordering::Release);
        }
    }

    fn held(&self, id: &OrganizationId) -> Option<Arc<OrganizationCell>> {
        self.lock().by_id.get(id).and_then(Weak::upgrade)
    }

    /// Says that any of them may have changed; gives those that may be in use.
    pub(super) fn all_stale(&self) -> Vec<OrganizationId> {
        let mut cells = self.lock();
        cells.version += 1;
        cells.by_id.keys().cloned().collect()
    }

    pub(super) fn sweep(&self) {
        self.lock().by_id.retain(|_, cell| cell.strong_count() > 0);
    }
}
