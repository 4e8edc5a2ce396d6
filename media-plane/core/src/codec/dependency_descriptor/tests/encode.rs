//! Descriptors and structures in the specification's syntax, written for tests without the code under
//! test.

/// Zeros and ones as the specification's syntax (A.8.2) puts them one after the other.
#[derive(Clone, Debug, Default)]
struct Bits(Vec<bool>);

impl Bits {
    fn f(&mut self, value: u32, bits: usize) -> &mut Self {
        self.0.extend((0..bits).rev().map(|bit| value >> bit & 1 != 0));
        self
    }

    /// write_ns of A.8.2.
    fn ns(&mut self, value: u32, values: u32) -> &mut Self {
        let width = (u32::BITS - values.leading_zeros()) as usize;
        let short = (1 << width) - values;
        if value < short { self.f(value, width - 1) } else { self.f(value + short, width) }
    }

    fn bytes(&self) -> Vec<u8> {
        let octet =
            |bits: &[bool]| (0..8).fold(0, |sum, at| sum << 1 | u8::from(bits.get(at) == Some(&true)));
        self.0.chunks(8).map(octet).collect()
    }
}

pub(super) fn bytes(text: &str) -> Vec<u8> {
    Bits(text.chars().filter(|c| !c.is_whitespace()).map(|c| c == '1').collect()).bytes()
}

#[derive(Clone, Debug)]
pub(super) struct TestTemplate {
    pub(super) spatial: u8,
    pub(super) temporal: u8,
    pub(super) indications: Vec<u8>,
    pub(super) diffs: Vec<u8>,
    pub(super) chains: Vec<u8>,
}

pub(super) fn template(
    spatial: u8,
    temporal: u8,
    indications: &str,
    diffs: &[u8],
    chains: &[u8],
) -> TestTemplate {
    let symbols = |c| (0u8..).zip(b"-DSR").find(|(_, symbol)| **symbol == c).map(|(value, _)| value);
    TestTemplate {
        spatial,
        temporal,
        indications: indications.bytes().map(|c| symbols(c).unwrap()).collect(),
        diffs: diffs.to_vec(),
        chains: chains.to_vec(),
    }
}

#[derive(Clone, Debug)]
pub(super) struct TestStructure {
    pub(super) offset: u8,
    pub(super) protected_by: Vec<u8>,
    pub(super) chains: u8,
    pub(super) templates: Vec<TestTemplate>,
    pub(super) sizes: bool,
}

impl TestStructure {
    fn put(&self, bits: &mut Bits) {
        let targets = u32::try_from(self.protected_by.len()).unwrap();
        bits.f(self.offset.into(), 6).f(targets - 1, 5);
        for pair in self.templates.windows(2) {
            let next = match (pair[1].spatial > pair[0].spatial, pair[1].temporal > pair[0].temporal) {
                (true, _) => 2,
                (false, true) => 1,
                (false, false) => 0,
            };
            bits.f(next, 2);
        }
        bits.f(3, 2);
        for template in &self.templates {
            template.indications.iter().for_each(|it| _ = bits.f(u32::from(*it), 2));
        }
        for template in &self.templates {
            template.diffs.iter().for_each(|diff| _ = bits.f(1, 1).f(u32::from(*diff) - 1, 4));
            bits.f(0, 1);
        }
        let chains = u32::from(self.chains);
        bits.ns(chains, targets + 1);
        if chains > 0 {
            self.protected_by.iter().for_each(|chain| _ = bits.ns(u32::from(*chain), chains));
            for template in &self.templates {
                template.chains.iter().for_each(|diff| _ = bits.f(u32::from(*diff), 4));
            }
        }
        bits.f(self.sizes.into(), 1);
        if self.sizes {
            let layers = self.templates.iter().map(|it| it.spatial).max().unwrap() + 1;
            (0..layers).for_each(|layer| _ = bits.f(320 << layer, 16).f(180 << layer, 16));
        }
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct TestFrame {
    pub(super) starts: bool,
    pub(super) ends: bool,
    pub(super) template: u8,
    pub(super) number: u16,
    pub(super) active: Option<u32>,
    pub(super) indications: Option<Vec<u8>>,
    pub(super) diffs: Option<Vec<u16>>,
    pub(super) chains: Option<Vec<u8>>,
}

impl TestFrame {
    pub(super) fn new(template: u8, number: u16) -> Self {
        Self { starts: true, ends: true, template, number, ..Self::default() }
    }

    pub(super) fn bytes(&self, targets: usize, structure: Option<&TestStructure>) -> Vec<u8> {
        let mut bits = Bits::default();
        bits.f(self.starts.into(), 1).f(self.ends.into(), 1).f(self.template.into(), 6);
        bits.f(self.number.into(), 16);
        let flags = [
            structure.is_some(),
            self.active.is_some(),
            self.indications.is_some(),
            self.diffs.is_some(),
            self.chains.is_some(),
        ];
        if flags.contains(&true) {
            flags.iter().for_each(|flag| _ = bits.f(u32::from(*flag), 1));
        }
        if let Some(structure) = structure {
            structure.put(&mut bits);
        }
        if let Some(active) = self.active {
            bits.f(active, targets);
        }
        self.indications.iter().flatten().for_each(|it| _ = bits.f(u32::from(*it), 2));
        if let Some(diffs) = &self.diffs {
            for diff in diffs {
                let size = match diff - 1 {
                    0..16 => 1,
                    16..256 => 2,
                    _ => 3,
                };
                bits.f(size, 2).f(u32::from(diff - 1), 4 * size as usize);
            }
            bits.f(0, 2);
        }
        self.chains.iter().flatten().for_each(|diff| _ = bits.f(u32::from(*diff), 8));
        bits.bytes()
    }
}
