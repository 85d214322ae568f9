; Bodies that other modules define go along for inlining. What only they use is imported weakly, but for what comes with inlining: not
; what is removed then, or what a C++ definition has as well.
source_filename = "inlined.cpp"
target triple = "x86_64-pc-linux-gnu"
define void @user(i128 %x, i128 %y) {
  call void @always()
  call void @perhaps()
  call void @in_part()
  call void @_Z4sameDefinitionv()
  %q = udiv i128 %x, %y
  ret void
}
define available_externally void @always() alwaysinline { call void @needed() ret void }
define available_externally void @perhaps() { call void @inlined_reference() ret void }
define available_externally void @in_part() {
  %size = add i32 4, 4
  %other = icmp ne i32 %size, 8
  br i1 %other, label %dead, label %live
dead:
  call void @removed()
  br label %live
live:
  ret void
}
define available_externally void @_Z4sameDefinitionv() { call void @optional() ret void }
define available_externally void @unused() { call void @never() ret void }
declare void @needed()
declare void @inlined_reference()
declare void @removed()
declare void @optional()
declare void @never()
