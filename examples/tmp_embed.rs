#![allow(missing_docs)]
use std::time::Instant;
use gyeol::embed::*;
fn main(){
  let mut s=vec![];
  for f in ["/work/shared/corpora/stsb/sts-train.csv","/work/shared/corpora/korsts/sts-train.tsv"] {
    for l in std::fs::read_to_string(f).unwrap().lines() { for p in l.split('\t').skip(5) { if p.len()>8 { s.push(p.to_owned()); } } if f.ends_with("csv") { s.push(l.split(',').last().unwrap().to_owned()); } }
  }
  s.sort(); s.dedup();
  println!("{} sentences, {} bytes", s.len(), s.iter().map(|x|x.len()).sum::<usize>());
  let t=Instant::now(); let b=builtin(); embed_many(&b,&["안녕"],Role::Query).unwrap(); println!("load {:?}", t.elapsed());
  for _ in 0..3 { let t=Instant::now(); embed_many(&b,&s,Role::Document).unwrap(); let e=t.elapsed().as_secs_f64(); println!("{:.0}/s", s.len() as f64/e); }
  let big:Vec<String>=(0..10).flat_map(|_| s.iter().cloned()).collect();
  let t=Instant::now(); embed_many(&b,&big,Role::Document).unwrap(); println!("{:.0}/s warm", big.len() as f64/t.elapsed().as_secs_f64());
}
