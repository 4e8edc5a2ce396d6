//! One setting: its key, its flag and variable, what holds unset.

use clap::Arg;

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// In the file, with its section: `operators.listen`.
    pub key: &'static str,
    /// What it is, in one line.
    pub help: &'static str,
    /// What holds where it is not set.
    pub default: Unset,
    /// A TOML value for sample files; empty: the default's.
    pub example: &'static str,
    /// A shorter name of its flag, without dashes; empty: none.
    pub short_flag: &'static str,
    /// False: it is about the link between processes, and `railgun` has both planes in one.
    pub in_standalone: bool,
}

/// What holds where a setting is not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unset {
    /// This TOML value.
    Is(&'static str),
    /// What these words say.
    Means(&'static str),
}

impl Setting {
    pub(crate) const fn new(
        key: &'static str,
        default: Unset,
        example: &'static str,
        help: &'static str,
    ) -> Self {
        Self { key, help, default, example, short_flag: "", in_standalone: true }
    }

    pub(crate) const fn between_processes(self) -> Self {
        Self { in_standalone: false, ..self }
    }

    pub(crate) const fn with_flag(self, short_flag: &'static str) -> Self {
        Self { short_flag, ..self }
    }

    /// `operators.listen` is `operators-listen`.
    pub fn flag(&self) -> String {
        self.key.replace(['.', '_'], "-")
    }

    /// `operators.listen` is `RAILGUN_OPERATORS_LISTEN`.
    pub fn variable(&self) -> String {
        variable(self.key)
    }

    /// The default for people: without the quotes of TOML.
    pub fn default_in_words(&self) -> String {
        match self.default {
            Unset::Is(value) => value.trim_matches('"').to_owned(),
            Unset::Means(words) => words.to_owned(),
        }
    }

    /// A TOML value that may be given.
    pub fn sample(&self) -> &'static str {
        match (self.example, self.default) {
            ("", Unset::Is(value)) => value,
            (example, _) => example,
        }
    }

    fn is_switch(&self) -> bool {
        matches!(self.default, Unset::Is("true" | "false") | Unset::Means("false"))
            || matches!(self.example, "true" | "false")
    }

    pub(crate) fn arg(&self) -> Arg {
        let help = format!("{} [{}]", self.help, self.default_in_words());
        let arg = Arg::new(self.key).long(self.flag()).value_name("VALUE").help(help);
        let arg = if self.short_flag.is_empty() { arg } else { arg.visible_alias(self.short_flag) };
        match self.is_switch() {
            true => arg.num_args(0..=1).default_missing_value("true"),
            false => arg,
        }
    }
}

pub(crate) fn variable(key: &str) -> String {
    format!("RAILGUN_{}", key.to_ascii_uppercase().replace('.', "_"))
}

/// The name that is most like this one, if any is like it at all.
pub(crate) fn nearest<'a>(name: &str, there: impl IntoIterator<Item = &'a str>) -> Option<String> {
    const LIKE: f64 = 0.6;
    let likeness = |of: &str| strsim::normalized_damerau_levenshtein(name, of);
    let named = there.into_iter().map(|of| (likeness(of), of));
    let (likeness, of) = named.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (likeness >= LIKE).then(|| of.to_owned())
}
