//! Who goes first when there is not room for all.

/// Who goes first when there is not room for all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Refused first.
    Low,
    /// What nothing else is said of.
    #[default]
    Normal,
    /// Served as long as anything is.
    High,
}

impl Priority {
    /// All, from the first to be refused.
    pub const ALL: [Self; 3] = [Self::Low, Self::Normal, Self::High];

    /// The metric label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
        }
    }
}
