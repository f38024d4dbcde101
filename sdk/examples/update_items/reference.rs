//! A model of Webflow that holds the items of the file, so that the example runs without a site.

use std::collections::BTreeSet;
use std::io;

use webflow_cms::{Client, Error, RateLimiter, Token};
use webflow_cms_reference::{Model, ReferenceServer};

use crate::Failure;
use crate::console::print;
use crate::content::{self, content};
use crate::input::Line;
use crate::site::{self, COLLECTION, changed, insert, locale, shown, variant};

pub(crate) struct Reference {
    server: ReferenceServer,
    before: Model,
    expected: Model,
}

impl Reference {
    /// Starts a server whose model holds each item of the file in each locale of the file. It refuses the update in
    /// the line `reject`, if there is one.
    pub(crate) async fn start(lines: &[Line], reject: Option<u64>) -> Result<Self, Failure> {
        let before = site::before(lines.iter().map(|line| &line.entry));
        let mut expected = before.clone();
        for Line { entry, .. } in lines {
            expected = insert(
                expected,
                entry,
                content::after(entry, content::before(entry)),
            );
        }
        let server = ReferenceServer::builder()
            .model(rejecting(before.clone(), lines, reject)?)
            .start()
            .await;
        Ok(Self {
            server,
            before,
            expected,
        })
    }

    /// A client that talks to this server instead of Webflow.
    pub(crate) fn client(&self) -> Result<Client, Error> {
        Client::builder(Token::new(self.server.token())?)
            .base_url(self.server.base_url())
            // This server keeps no limit, so there is nothing to wait for.
            .rate_limiter(RateLimiter::unlimited())
            .build()
    }

    /// Compares the model with the file, field by field, and looks through the log of the server.
    pub(crate) fn compare(&self) -> Result<(), Failure> {
        let log = self.server.log();
        let violations = log.iter().flat_map(|exchange| &exchange.violations);
        let mut findings = self.differences();
        findings.extend(violations.map(|violation| format!("violation: {violation}")));
        if !findings.is_empty() {
            let findings = findings.join("\n  ");
            return Err(format!("the model differs from the file:\n  {findings}").into());
        }
        let fields: usize = self
            .expected
            .variants()
            .map(|(_, variant)| content(variant).len())
            .sum();
        print(&format!(
            "the model agrees with the file: {fields} fields and flags in {} variants\n\
             {} requests in the log of the server, 0 violations of the API",
            self.expected.variants().count(),
            log.len()
        ))?;
        Ok(())
    }

    fn differences(&self) -> Vec<String> {
        let model = self.server.model();
        let mut differences = Vec::new();
        for (key, expected) in self.expected.variants() {
            let found = model.variant(&key.collection, &key.item, Some(&key.locale));
            let (found, expected) = (found.map(content).unwrap_or_default(), content(expected));
            for slug in changed(&expected, &found) {
                let (found, expected) = (shown(found.get(slug)), shown(expected.get(slug)));
                let (item, locale) = (&key.item, &key.locale);
                differences.push(format!(
                    "{item} in {locale}: {slug} is {found} instead of {expected}"
                ));
            }
        }
        differences
    }

    /// Prints what changed in the first item of each locale, in the fields that fit a line best.
    pub(crate) fn print_samples(&self, lines: &[Line]) -> io::Result<()> {
        const SAMPLES: usize = 3;
        const FIELDS: usize = 3;
        let model = self.server.model();
        let mut locales = BTreeSet::new();
        let first_of_locale = lines
            .iter()
            .filter(|line| locales.insert(line.entry.cms_locale_id));
        for line in first_of_locale.take(SAMPLES) {
            let content = |model| variant(model, &line.entry).map(content).unwrap_or_default();
            let (before, after) = (content(&self.before), content(&model));
            let mut slugs = Vec::from_iter(changed(&before, &after));
            slugs.sort_by_cached_key(|slug| before.get(*slug).map(|value| value.to_string().len()));
            print(&format!("\nline {}: {}", line.number, line.update.key()))?;
            for slug in slugs.into_iter().take(FIELDS) {
                let (before, after) = (shown(before.get(slug)), shown(after.get(slug)));
                print(&format!("  {slug:<11} {before} -> {after}"))?;
            }
        }
        Ok(())
    }
}

fn rejecting(model: Model, lines: &[Line], reject: Option<u64>) -> Result<Model, Failure> {
    let Some(number) = reject else {
        return Ok(model);
    };
    let line = lines.iter().find(|line| line.number == number);
    let entry = &line
        .ok_or_else(|| format!("--reject: there is no update in line {number}"))?
        .entry;
    Ok(model.reject(COLLECTION, entry.id.as_str(), locale(entry)))
}
