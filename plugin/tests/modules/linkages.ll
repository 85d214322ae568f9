; Every linkage that a function can have, and what it gets: a stub, or an entry in the container only.
source_filename = "linkages.c"
target triple = "x86_64-pc-linux-gnu"
$inline_called = comdat any
$inline_taken = comdat any
$inline_unnamed = comdat any
$inline_in_table = comdat any
$weak_odr = comdat any

@table = global ptr @inline_in_table
@local_table = internal global [1 x ptr] [ptr @local_in_table]

define void @external() {
  call void @local_called()
  call void @inline_called()
  call void @undefined()
  store ptr @inline_taken, ptr @slot
  store ptr @inline_unnamed, ptr @slot
  store ptr @local_taken, ptr @slot
  %t = load ptr, ptr @local_table
  call void %t()
  ret void
}
define hidden void @hidden() { ret void }
define protected void @protected() { ret void }
define weak void @weak() { ret void }
define weak_odr void @weak_odr() comdat { ret void }
define internal void @local_called() { ret void }
define internal void @local_taken() { ret void }
define internal void @local_in_table() { ret void }
define linkonce_odr void @inline_called() comdat { ret void }
define linkonce_odr void @inline_taken() comdat { ret void }
define linkonce_odr void @inline_unnamed() unnamed_addr comdat { ret void }
define linkonce_odr void @inline_in_table() comdat { ret void }
define linkonce void @replaceable() { ret void }
declare void @undefined()
@slot = external global ptr
