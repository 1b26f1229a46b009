//! What rows add up to, by a text that they have.

use std::collections::HashMap;

/// So many groups are compared one by one: that is quicker than to hash a text.
const FEW: usize = 8;

/// Values by a text, or by none; a text is copied when it is new.
#[derive(Debug)]
pub(super) struct Groups<T> {
    all: Vec<(Option<String>, T)>,
    /// Where those are that come after the first few.
    places: HashMap<String, usize>,
    place_of_none: Option<usize>,
}

impl<T> Default for Groups<T> {
    fn default() -> Self {
        Self { all: Vec::new(), places: HashMap::new(), place_of_none: None }
    }
}

impl<T: Default> Groups<T> {
    pub(super) fn of(&mut self, key: Option<&str>) -> &mut T {
        let known = self.all.iter().take(FEW).position(|(known, _)| known.as_deref() == key);
        let place = known.or_else(|| self.place(key)).unwrap_or_else(|| self.add(key));
        &mut self.all[place].1
    }

    fn place(&self, key: Option<&str>) -> Option<usize> {
        key.map_or(self.place_of_none, |key| self.places.get(key).copied())
    }

    fn add(&mut self, key: Option<&str>) -> usize {
        let place = self.all.len();
        match key {
            Some(key) => drop(self.places.insert(key.to_owned(), place)),
            None => self.place_of_none = Some(place),
        }
        self.all.push((key.map(str::to_owned), T::default()));
        place
    }
}

impl<T> IntoIterator for Groups<T> {
    type Item = (Option<String>, T);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.all.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_finds_its_group_however_many_there_are() {
        let mut groups = Groups::<Vec<usize>>::default();
        let key = |row: usize| (row % 23 != 9).then(|| format!("model {}", row % 23));
        for row in 0..230 {
            groups.of(key(row).as_deref()).push(row);
        }
        let groups: Vec<_> = groups.into_iter().collect();
        assert_eq!(groups.len(), 23);
        for (name, rows) in groups {
            assert_eq!(rows.len(), 10);
            assert!(rows.iter().all(|row| key(*row) == name), "{name:?} {rows:?}");
        }
    }
}
