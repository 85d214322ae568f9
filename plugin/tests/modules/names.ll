; Names that assemblers need quotes for.
source_filename = "dir/na\22me.c"
target triple = "x86_64-pc-linux-gnu"
define void @"core::fmt<T>::{closure#0}"() {
  call void @"\01plain"()
  call void @"$dollar"()
  ret void
}
declare void @"\01plain"()
declare void @"$dollar"()
