use super::*;

fn sample() -> Vec<u8> {
    let mut out = Vec::new();
    let sections =
        [Section { id: 1, bytes: &[1; 100] }, Section { id: 2, bytes: &[] }, Section { id: 7, bytes: &[9; 64] }];
    let seal = write(&mut out, Kind::Segment, &sections).unwrap();
    assert_eq!(open(&out).unwrap().seal(), seal);
    out
}

fn open(bytes: &[u8]) -> Result<Sections, StoreError> {
    Sections::open(Mapped::copy_of(bytes), Path::new("sample"), Kind::Segment, &["", "ONES"])
}

/// The documented table against the constants: one drifting from the other fails here.
#[test]
fn the_byte_tables_are_the_constants() {
    let constants = [
        ("MAGIC", MAGIC),
        ("FORMAT", FORMAT),
        ("KIND", KIND),
        ("FILE_LENGTH", FILE_LENGTH),
        ("SECTION_COUNT", SECTION_COUNT),
        ("RESERVED", RESERVED),
        ("TABLE_CHECKSUM", TABLE_CHECKSUM),
        ("RESERVED_2", RESERVED_2),
        ("HEADER_CHECKSUM", HEADER_CHECKSUM),
        ("SECTION_ID", SECTION_ID),
        ("SECTION_RESERVED", SECTION_RESERVED),
        ("SECTION_OFFSET", SECTION_OFFSET),
        ("SECTION_LENGTH", SECTION_LENGTH),
        ("SECTION_CHECKSUM", SECTION_CHECKSUM),
    ];
    let rows: Vec<(usize, usize, &str)> = include_str!("../file.rs")
        .lines()
        .filter_map(|line| line.strip_prefix("//! | "))
        .filter_map(|row| {
            let mut cells = row.split('|').map(str::trim);
            Some((cells.next()?.parse().ok()?, cells.next()?.parse().ok()?, cells.next()?))
        })
        .collect();
    assert_eq!(rows.iter().map(|r| (r.2, r.0)).collect::<Vec<_>>(), constants);
    let widths: Vec<usize> = rows.iter().map(|r| r.1).collect();
    assert_eq!(widths[..9].iter().sum::<usize>(), HEADER);
    assert_eq!(widths[9..].iter().sum::<usize>(), ENTRY);
    let mut at = 0;
    for (i, row) in rows.iter().enumerate() {
        at = if i == 9 { 0 } else { at };
        assert_eq!(row.0, at, "{}", row.2);
        at += row.1;
    }
}

#[test]
fn sections_come_back() {
    let file = open(&sample()).unwrap();
    file.verify().unwrap();
    assert_eq!(file.bytes(1).unwrap(), [1; 100]);
    assert_eq!(file.slice::<u64>(7, 8).unwrap(), [0x0909_0909_0909_0909; 8]);
    assert!(file.slice::<u64>(7, 9).is_err());
    assert!(file.bytes(3).unwrap_err().to_string().contains("section 3 is missing"));
}

/// Every single flipped bit is found: by `open` in header and table, by `verify` anywhere.
#[test]
fn every_flipped_bit_is_found() {
    let good = sample();
    for bit in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        let found = open(&bad).and_then(|f| f.verify());
        assert!(found.is_err(), "bit {bit} of byte {}", bit / 8);
        if bit / 8 < HEADER + 4 * ENTRY {
            assert!(open(&bad).is_err(), "header bit {bit} of byte {}", bit / 8);
        }
    }
}

#[test]
fn every_other_length_is_found() {
    let good = sample();
    for len in 0..good.len() {
        assert!(open(&good[..len]).is_err(), "cut to {len}");
    }
    let longer = [&good[..], &[0; 64]].concat();
    assert!(open(&longer).is_err());
    assert!(matches!(open(b"%PDF-1.7 something"), Err(StoreError::NotOurs { .. })));
}

#[test]
fn a_newer_format_is_refused_by_name() {
    let mut newer = sample();
    put(&mut newer, FORMAT, &2u32.to_le_bytes());
    let sum = checksum(&newer[..HEADER_CHECKSUM]);
    put(&mut newer, HEADER_CHECKSUM, &sum.to_le_bytes());
    let message = open(&newer).unwrap_err().to_string();
    assert!(message.contains("format 2") && message.contains("upgrade"), "{message}");
}
