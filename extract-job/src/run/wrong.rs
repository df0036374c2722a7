//! What is wrong with a pipeline and its manifests, gathered, so that all of it is told at once.

use contract::pipeline::{Problem, Problems};

/// Problems, by file.
#[derive(Default)]
pub(super) struct Wrong(pub(super) Vec<Problems>);

impl Wrong {
    pub(super) fn extend(&mut self, problems: Problems) {
        match self.0.iter_mut().find(|have| have.file == problems.file) {
            Some(have) => have.list.extend(problems.list),
            None => self.0.push(problems),
        }
    }

    pub(super) fn extend_list(&mut self, file: &str, list: Vec<Problem>) {
        if !list.is_empty() {
            self.extend(Problems { file: file.into(), list });
        }
    }

    pub(super) fn add(&mut self, file: &str, line: usize, key: &str, message: impl Into<String>) {
        self.extend(Problems::one(file, line, key, message));
    }
}
