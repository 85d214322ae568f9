; A sanitizer needs the bodies: nothing changes.
source_filename = "sanitized.c"
target triple = "x86_64-pc-linux-gnu"
define void @checked() sanitize_address { ret void }
