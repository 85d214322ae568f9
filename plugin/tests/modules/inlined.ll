; Bodies that other modules define go along for inlining; what only they use is imported weakly.
source_filename = "inlined.cpp"
target triple = "x86_64-pc-linux-gnu"
define void @user(i128 %x, i128 %y) {
  call void @always()
  call void @perhaps()
  %q = udiv i128 %x, %y
  ret void
}
define available_externally void @always() alwaysinline { call void @needed() ret void }
define available_externally void @perhaps() { call void @optional() ret void }
define available_externally void @unused() { call void @never() ret void }
declare void @needed()
declare void @optional()
declare void @never()
