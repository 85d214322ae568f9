; The second unit of kept_groups.c.
target triple = "x86_64-unknown-linux-gnu"
$grp = comdat nodeduplicate
@v = internal global i32 7, comdat($grp)
define internal i32 @loc(i32 %x) noinline comdat($grp) {
  %a = load i32, ptr @v
  %r = add i32 %x, %a
  ret i32 %r
}
define i32 @use2(i32 %x) {
  %r = call i32 @loc(i32 %x)
  ret i32 %r
}
@p2 = global ptr @loc
