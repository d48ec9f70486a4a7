//! The operator's verbs for blocking callers.

use std::time::Duration;

use greentic_types::SessionKey;

use super::{
    EraseMode, ErasePage, ExportPage, ExportRecord, ImportMode, ImportOutcome, OwnerSelection,
    RevokeOutcome, ScanCursor, ScanFilter, ScanPage, Stats, VerifyMode, VerifyPage,
};
use crate::async_store::AsyncSessionStore;
use crate::blocking::{Blocking, wait_for};
use crate::clock::Timestamp;
use crate::error::SessionResult;

impl<S: AsyncSessionStore + ?Sized> Blocking<S> {
    /// See [`AsyncSessionStore::scan`].
    ///
    /// # Errors
    /// As there.
    pub fn scan(
        &self,
        filter: &ScanFilter,
        after: Option<&ScanCursor>,
        limit: usize,
    ) -> SessionResult<ScanPage> {
        wait_for(self.inner().scan(filter, after, limit))
    }

    /// See [`AsyncSessionStore::stats`].
    ///
    /// # Errors
    /// As there.
    pub fn stats(&self, filter: &ScanFilter) -> SessionResult<Stats> {
        wait_for(self.inner().stats(filter))
    }

    /// See [`AsyncSessionStore::erase`].
    ///
    /// # Errors
    /// As there.
    pub fn erase(
        &self,
        selection: &OwnerSelection,
        mode: EraseMode,
        after: Option<&ScanCursor>,
        limit: usize,
    ) -> SessionResult<ErasePage> {
        wait_for(self.inner().erase(selection, mode, after, limit))
    }

    /// See [`AsyncSessionStore::verify`].
    ///
    /// # Errors
    /// As there.
    pub fn verify(
        &self,
        mode: VerifyMode,
        after: Option<&ScanCursor>,
        limit: usize,
    ) -> SessionResult<VerifyPage> {
        wait_for(self.inner().verify(mode, after, limit))
    }

    /// See [`AsyncSessionStore::extend`].
    ///
    /// # Errors
    /// As there.
    pub fn extend(
        &self,
        key: &SessionKey,
        ttl: Option<Duration>,
    ) -> SessionResult<Option<Timestamp>> {
        wait_for(self.inner().extend(key, ttl))
    }

    /// See [`AsyncSessionStore::revoke`].
    ///
    /// # Errors
    /// As there.
    pub fn revoke(&self, key: &SessionKey) -> SessionResult<RevokeOutcome> {
        wait_for(self.inner().revoke(key))
    }

    /// See [`AsyncSessionStore::export`].
    ///
    /// # Errors
    /// As there.
    pub fn export(&self, after: Option<&ScanCursor>, limit: usize) -> SessionResult<ExportPage> {
        wait_for(self.inner().export(after, limit))
    }

    /// See [`AsyncSessionStore::import`].
    ///
    /// # Errors
    /// As there.
    pub fn import(&self, record: ExportRecord, mode: ImportMode) -> SessionResult<ImportOutcome> {
        wait_for(self.inner().import(record, mode))
    }
}
