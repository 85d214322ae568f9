; Functions of conventions that place arguments or keep registers in other ways, calls of them, and those that are the C
; convention under another name, called by each other.
target triple = "x86_64-unknown-linux-gnu"

define win64cc i64 @ms(i64 %a, double %b, i64 %c) {
  %i = fptosi double %b to i64
  %s = mul i64 %a, %i
  %r = sub i64 %s, %c
  ret i64 %r
}
define i64 @call_ms(i64 %a) {
  %r = call win64cc i64 @ms(i64 %a, double 4.5, i64 7)
  ret i64 %r
}
define x86_vectorcallcc i64 @"\01vectorcall"(i64 %a, double %b, i64 %c) {
  %i = fptosi double %b to i64
  %s = mul i64 %a, %i
  %r = sub i64 %s, %c
  ret i64 %r
}
define i64 @call_vectorcall(i64 %a) {
  %r = call x86_vectorcallcc i64 @"\01vectorcall"(i64 %a, double 4.5, i64 7)
  ret i64 %r
}
define x86_regcallcc i64 @regcall(i64 %a, double %b, i64 %c) {
  %i = fptosi double %b to i64
  %s = mul i64 %a, %i
  %r = sub i64 %s, %c
  ret i64 %r
}
define i64 @call_regcall(i64 %a) {
  %r = call x86_regcallcc i64 @regcall(i64 %a, double 4.5, i64 7)
  ret i64 %r
}
define preserve_mostcc i64 @preserve_most(i64 %a, double %b, i64 %c) {
  %i = fptosi double %b to i64
  %s = mul i64 %a, %i
  %r = sub i64 %s, %c
  ret i64 %r
}
define i64 @call_preserve_most(i64 %a) {
  %r = call preserve_mostcc i64 @preserve_most(i64 %a, double 4.5, i64 7)
  ret i64 %r
}
define preserve_allcc i64 @preserve_all(i64 %a, double %b, i64 %c) {
  %i = fptosi double %b to i64
  %s = mul i64 %a, %i
  %r = sub i64 %s, %c
  ret i64 %r
}
define i64 @call_preserve_all(i64 %a) {
  %r = call preserve_allcc i64 @preserve_all(i64 %a, double 4.5, i64 7)
  ret i64 %r
}
define preserve_nonecc i64 @preserve_none(i64 %a, double %b, i64 %c) {
  %i = fptosi double %b to i64
  %s = mul i64 %a, %i
  %r = sub i64 %s, %c
  ret i64 %r
}
define i64 @call_preserve_none(i64 %a) {
  %r = call preserve_nonecc i64 @preserve_none(i64 %a, double 4.5, i64 7)
  ret i64 %r
}
define tailcc i64 @tail(i64 %a, double %b, i64 %c) {
  %i = fptosi double %b to i64
  %s = mul i64 %a, %i
  %r = sub i64 %s, %c
  ret i64 %r
}
define i64 @call_tail(i64 %a) {
  %r = call tailcc i64 @tail(i64 %a, double 4.5, i64 7)
  ret i64 %r
}
define swiftcc i64 @swift(i64 %a, double %b, i64 %c) {
  %i = fptosi double %b to i64
  %s = mul i64 %a, %i
  %r = sub i64 %s, %c
  ret i64 %r
}
define i64 @call_swift(i64 %a) {
  %r = call swiftcc i64 @swift(i64 %a, double 4.5, i64 7)
  ret i64 %r
}
define fastcc i64 @fast(i64 %a0, i64 %a1, i64 %a2, i64 %a3, i64 %a4, i64 %a5, i64 %a6, i64 %a7, double %b, <4 x float> %v, i1 %f) {
  %i = fptosi double %b to i64
  %s = mul i64 %a7, %i
  %t = sub i64 %s, %a6
  %u = add i64 %t, %a0
  %e = extractelement <4 x float> %v, i64 2
  %x = fptosi float %e to i64
  %y = add i64 %u, %x
  %r = select i1 %f, i64 %y, i64 %a3
  ret i64 %r
}
define coldcc i64 @cold(i64 %a0, i64 %a1, i64 %a2, i64 %a3, i64 %a4, i64 %a5, i64 %a6, i64 %a7, double %b, <4 x float> %v, i1 %f) {
  %i = fptosi double %b to i64
  %s = mul i64 %a7, %i
  %t = sub i64 %s, %a6
  %u = add i64 %t, %a0
  %e = extractelement <4 x float> %v, i64 2
  %x = fptosi float %e to i64
  %y = add i64 %u, %x
  %r = select i1 %f, i64 %y, i64 %a3
  ret i64 %r
}
define ccc i64 @plain(i64 %a0, i64 %a1, i64 %a2, i64 %a3, i64 %a4, i64 %a5, i64 %a6, i64 %a7, double %b, <4 x float> %v, i1 %f) {
  %i = fptosi double %b to i64
  %s = mul i64 %a7, %i
  %t = sub i64 %s, %a6
  %u = add i64 %t, %a0
  %e = extractelement <4 x float> %v, i64 2
  %x = fptosi float %e to i64
  %y = add i64 %u, %x
  %r = select i1 %f, i64 %y, i64 %a3
  ret i64 %r
}
define i64 @run(ptr %out) {
  %r0 = call fastcc i64 @fast(i64 3, i64 14, i64 25, i64 36, i64 47, i64 58, i64 69, i64 80, double 6.0, <4 x float> <float 1.0, float 2.0, float 9.0, float 4.0>, i1 true)
  %p0 = getelementptr i64, ptr %out, i64 0
  store i64 %r0, ptr %p0
  %r1 = call fastcc i64 @fast(i64 3, i64 14, i64 25, i64 36, i64 47, i64 58, i64 69, i64 80, double 6.0, <4 x float> <float 1.0, float 2.0, float 9.0, float 4.0>, i1 false)
  %p1 = getelementptr i64, ptr %out, i64 1
  store i64 %r1, ptr %p1
  %r2 = call coldcc i64 @cold(i64 3, i64 14, i64 25, i64 36, i64 47, i64 58, i64 69, i64 80, double 6.0, <4 x float> <float 1.0, float 2.0, float 9.0, float 4.0>, i1 true)
  %p2 = getelementptr i64, ptr %out, i64 2
  store i64 %r2, ptr %p2
  %r3 = call coldcc i64 @cold(i64 3, i64 14, i64 25, i64 36, i64 47, i64 58, i64 69, i64 80, double 6.0, <4 x float> <float 1.0, float 2.0, float 9.0, float 4.0>, i1 false)
  %p3 = getelementptr i64, ptr %out, i64 3
  store i64 %r3, ptr %p3
  %r4 = call ccc i64 @plain(i64 3, i64 14, i64 25, i64 36, i64 47, i64 58, i64 69, i64 80, double 6.0, <4 x float> <float 1.0, float 2.0, float 9.0, float 4.0>, i1 true)
  %p4 = getelementptr i64, ptr %out, i64 4
  store i64 %r4, ptr %p4
  %r5 = call ccc i64 @plain(i64 3, i64 14, i64 25, i64 36, i64 47, i64 58, i64 69, i64 80, double 6.0, <4 x float> <float 1.0, float 2.0, float 9.0, float 4.0>, i1 false)
  %p5 = getelementptr i64, ptr %out, i64 5
  store i64 %r5, ptr %p5
  ret i64 6
}
