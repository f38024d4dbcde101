//! The licences that we accept, and for whom we accept others.

/// A licence that is accepted for one package.
pub(super) struct Exception {
    pub(super) package: &'static str,
    pub(super) licence: &'static str,
    pub(super) reason: &'static str,
}

/// Accepted for every package. Where one offers a choice, the first on this list is taken.
pub(super) const ALLOWED: &[&str] = &[
    "MIT",
    "Apache-2.0",
    "BSD-3-Clause",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT-0",
    "Unicode-3.0",
    "Zlib",
];

/// Accepted for one package each.
pub(super) const EXCEPTIONS: &[Exception] = &[
    Exception {
        package: "progenitor",
        licence: "MPL-2.0",
        reason: "runs in the build script only; none of it is in what users link",
    },
    Exception {
        package: "progenitor-impl",
        licence: "MPL-2.0",
        reason: "the generator itself: as progenitor",
    },
    Exception {
        package: "progenitor-client",
        licence: "MPL-2.0",
        reason: "linked by the generated client, unmodified; MPL-2.0 reaches its own files only",
    },
];
