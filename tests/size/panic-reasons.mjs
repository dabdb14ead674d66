// Why a panic that is left in an image does not happen: by where it is, a
// crate's name and its file, and what it is. The first that fits is taken.

const measured = "it is the program's that is measured, not the core's";

export const REASONS = [
  { place: /^the program measured\//, why: measured },
  { place: /^(embedded-alloc|linked_list_allocator|critical-section)\//, why: `${measured}: its allocator, whose list of holes was overwritten, or that is called by itself` },
  { place: /^(aes|polyval|ghash|poly1305|sha2)\//, why: "a loop over arrays of constant length" },
  { place: /^cipher\//, kind: /unwrap/, why: "the key stream ends after 64 GiB or more of one message, and a datagram has less than 64 KiB" },
  { place: /^chacha20poly1305\//, kind: /unwrap/, why: "the second block of a key stream, which a message begins with, is always there" },
  { place: /^portable-atomic\//, kind: /assertion/, why: "the ordering asked for is a constant that a load may have" },
  { place: /^bytes\//, kind: /memory/, why: "a copy of the certificate, some 280 octets, is made at construction and by the application only" },
  { place: /^bytes\//, kind: /unwrap/, why: "what is given back has the layout with which it was asked for" },
  { place: /^bytes\//, kind: /assertion/, why: "half the address space of copies of one certificate do not fit into it" },
  { place: /^const-oid\//, kind: /index/, why: "an identifier without a first octet was refused before" },
  { place: /^der\//, kind: /lengths/, why: "the reader gave as many octets as it was asked for" },
  { place: /^picortc\/crypto\/compact\//, kind: /index/, why: "a loop over arrays of constant length; no index depends on input" },
  { place: /^picortc\/dtls\/slices/, kind: /future/, why: "an executor does not poll a future that has ended" },
  { place: /^picortc\/dtls\/reassembly/, kind: /index|assertion/, why: "the place of a message is within what is used" },
  { place: /^picortc\/peer\/way/, kind: /assertion/, why: "`copy_within`: the datagram and the room before it are within the buffer, which was compared before" },
  { place: /^picortc\/mem\/(vec|deque)/, kind: /assertion/, why: "the index is compared with the length before" },
  { place: /^alloc\/vec\/mod/, kind: /assertion/, why: "`mem::FixedVec` compares the index with the length before" },
  { place: /^picortc\/mem\/text/, kind: /assertion|index/, why: "what is removed was found to lie between two characters before" },
  { place: /^picortc\/mem\/text/, kind: /memory/, why: "a text is as long at most as what was taken for it at construction" },
  { place: /^picortc\/mem\/(boxed|blocks)/, kind: /memory/, why: "at construction; the capacity is exactly what is asked for, so that nothing is given back" },
  { place: /^alloc\/raw_vec/, kind: /assertion/, why: "what shrinks is as long as it was made, or empty" },
  { place: /^alloc\/slice/, kind: /memory/, why: "a copy of a `Bytes` as a `Vec`, which its table of functions names and nothing asks for" },
  { place: /^alloc\/(raw_vec|vec|boxed|alloc)/, kind: /memory/, why: "a collection of `mem` is full before it grows, and takes its memory at construction, where a refusal is an error; a description is a `String` that grows, within its `Limits`" },
  { place: /^core\/slice\/mod/, kind: /lengths/, why: "both were cut to one length before, or are arrays of one" },
  { place: /^core\/ptr\//, kind: /assertion/, why: `${measured}: its allocator, which aligns to powers of two` },
  { place: /^core\/time/, kind: /unwrap/, why: "the arithmetic is that which saturates: the nanoseconds are fewer than a second's" },
  { place: /^core\/slice\/(index|mod)/, kind: /index|assertion/, why: "`copy_within`: the place of a message is within what is used (`dtls/reassembly.rs`)" },
  { place: /^core\/fmt\//, why: "only in the words of another panic" },
  { place: /^core\/net\/(parser|ip_addr|display_buffer)/, why: "an address is read into, and written from, arrays as long as the longest" },
  { place: /^core\/str\/(iter|pattern|mod)/, kind: /index/, why: "a character searched for has at most four octets, and so has the array" },
  { place: /^picortc\/peer\/ice_servers/, kind: /index/, why: "from the application's own list of servers only: a host is searched for in the URL that it was read from" },
];
