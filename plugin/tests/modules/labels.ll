; A table of labels that nobody changes leaves with its function; a function whose labels other data holds stays. What
; the compiler has looked up in a table that nothing uses is not kept.
source_filename = "labels.c"
target triple = "x86_64-pc-linux-gnu"
@own.labels = internal global [2 x ptr] [ptr blockaddress(@own, %a), ptr blockaddress(@own, %b)]
@shown = global ptr blockaddress(@escaped, %a)

define void @own(i64 %i) {
  %at = getelementptr [2 x ptr], ptr @own.labels, i64 0, i64 %i
  %label = load ptr, ptr %at
  indirectbr ptr %label, [label %a, label %b]
a:
  ret void
b:
  ret void
}
define void @escaped() {
  br label %a
a:
  ret void
}
@read.labels = internal global [1 x ptr] [ptr blockaddress(@read, %a)]
@written.labels = internal global [1 x ptr] [ptr blockaddress(@written, %a)]
@unused.distance = internal constant i64 ptrtoint (ptr blockaddress(@unused, %a) to i64)
define void @read(i64 %i) {
  %at = getelementptr [1 x ptr], ptr @read.labels, i64 0, i64 %i
  %label = load ptr, ptr %at
  indirectbr ptr %label, [label %a]
a:
  ret void
}
define void @written(ptr %other) {
  store ptr %other, ptr @written.labels
  %label = load ptr, ptr @written.labels
  indirectbr ptr %label, [label %a]
a:
  ret void
}
define void @unused() {
  indirectbr ptr blockaddress(@unused, %a), [label %a]
a:
  ret void
}
