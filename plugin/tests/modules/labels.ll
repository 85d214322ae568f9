; A table of labels leaves with its function; a function whose labels other data holds stays.
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
