//! Preconditions on generation and metageneration: 412 where a match fails, 304 where a mismatch does.

use super::parameters::Parameters;
use super::reply::Refusal;
use super::stored::Stored;

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Preconditions {
    generation: Option<i64>,
    not_generation: Option<i64>,
    metageneration: Option<i64>,
    not_metageneration: Option<i64>,
}

impl Preconditions {
    /// `prefix` is `if`, or `ifSource` for the object that is copied from.
    pub(crate) fn read(parameters: &Parameters, prefix: &str) -> Result<Self, Refusal> {
        let number = |name: &str| parameters.number(&format!("{prefix}{name}"));
        Ok(Self {
            generation: number("GenerationMatch")?,
            not_generation: number("GenerationNotMatch")?,
            metageneration: number("MetagenerationMatch")?,
            not_metageneration: number("MetagenerationNotMatch")?,
        })
    }

    /// Only that the generation is this one, if one is given.
    pub(crate) fn generation(generation: Option<i64>) -> Self {
        Self { generation, ..Self::default() }
    }

    /// An object that is not there has generation 0 and no metageneration.
    pub(crate) fn check(&self, live: Option<&Stored>) -> Result<(), Refusal> {
        let generation = live.map_or(0, |live| live.generation);
        let metageneration = live.map(|live| live.metageneration);
        if self.generation.is_some_and(|wanted| wanted != generation)
            || self.metageneration.is_some_and(|wanted| Some(wanted) != metageneration)
        {
            return Err(Refusal::precondition());
        }
        if self.not_generation == Some(generation)
            || self.not_metageneration.is_some_and(|unwanted| Some(unwanted) == metageneration)
        {
            return Err(Refusal::not_modified());
        }
        Ok(())
    }
}
