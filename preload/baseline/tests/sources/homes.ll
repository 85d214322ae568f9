; Loops whose values have registers for themselves, and some that have too many for that.
target datalayout = "e-m:e-p270:32:32-p271:32:32-p272:64:64-i64:64-i128:128-f80:128-n8:16:32:64-S128"
target triple = "x86_64-pc-linux-gnu"

define i64 @sums(i64 %n) {
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %j, %next ]
  %s = phi i64 [ 0, %entry ], [ %t, %next ]
  %bit = and i64 %i, 1
  %odd = icmp ne i64 %bit, 0
  br i1 %odd, label %add, label %next
add:
  %more = add i64 %s, %i
  br label %next
next:
  %t = phi i64 [ %s, %loop ], [ %more, %add ]
  %j = add i64 %i, 1
  %again = icmp ult i64 %j, %n
  br i1 %again, label %loop, label %end
end:
  ret i64 %t
}

; Two values change places.
define i64 @places(i64 %n) {
entry:
  br label %loop
loop:
  %i = phi i64 [ %n, %entry ], [ %j, %loop ]
  %a = phi i64 [ 1, %entry ], [ %b, %loop ]
  %b = phi i64 [ 2, %entry ], [ %a, %loop ]
  %j = sub i64 %i, 1
  %again = icmp ne i64 %j, 0
  br i1 %again, label %loop, label %end
end:
  %a10 = mul i64 %a, 10
  %all = add i64 %a10, %b
  ret i64 %all
}

define double @floats(i64 %n, double %by) {
entry:
  br label %loop
loop:
  %i = phi i64 [ %n, %entry ], [ %j, %loop ]
  %a = phi double [ 1.0, %entry ], [ %b, %loop ]
  %b = phi double [ 2.0, %entry ], [ %c, %loop ]
  %c = phi double [ 3.0, %entry ], [ %d, %loop ]
  %d = fadd double %a, %by
  %j = sub i64 %i, 1
  %again = icmp ne i64 %j, 0
  br i1 %again, label %loop, label %end
end:
  %ab = fmul double %a, %b
  %abc = fsub double %ab, %c
  ret double %abc
}

define i32 @called(i32 %n) {
entry:
  br label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %j, %loop ]
  %s = phi i32 [ 0, %entry ], [ %t, %loop ]
  call void @defined()
  %t = add i32 %s, %i
  %j = add i32 %i, 1
  %again = icmp ult i32 %j, %n
  br i1 %again, label %loop, label %end
end:
  ret i32 %t
}

define void @defined() {
  ret void
}

; What goes through the branches unchanged stays where it is: nothing is moved.
define i64 @many(i64 %n, i64 %p, i64 %q, i64 %r) {
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %i2, %next ]
  %a = phi i64 [ %p, %entry ], [ %a3, %next ]
  %b = phi i64 [ %q, %entry ], [ %b3, %next ]
  %c = phi i64 [ %r, %entry ], [ %c3, %next ]
  %d = phi i64 [ 4, %entry ], [ %d3, %next ]
  %e = phi i64 [ 5, %entry ], [ %e3, %next ]
  %f = phi i64 [ 6, %entry ], [ %f3, %next ]
  %g = phi i64 [ 7, %entry ], [ %g3, %next ]
  call void @defined()
  %low = and i64 %i, 7
  switch i64 %low, label %seven [ i64 0, label %zero i64 1, label %one i64 2, label %two i64 3, label %next i64 4, label %next ]
zero:
  call void @defined()
  %a2 = add i64 %a, 1
  br label %next
one:
  call void @defined()
  %e2 = mul i64 %e, 3
  br label %next
two:
  call void @defined()
  %g2 = xor i64 %g, %f
  br label %next
seven:
  call void @defined()
  %f2 = add i64 %f, %i
  br label %next
next:
  %a3 = phi i64 [ %a2, %zero ], [ %a, %one ], [ %a, %two ], [ %a, %loop ], [ %a, %loop ], [ %a, %seven ]
  %b3 = phi i64 [ %b, %zero ], [ %b, %one ], [ %b, %two ], [ %b, %loop ], [ %b, %loop ], [ %b, %seven ]
  %c3 = phi i64 [ %c, %zero ], [ %c, %one ], [ %c, %two ], [ %c, %loop ], [ %c, %loop ], [ %c, %seven ]
  %d3 = phi i64 [ %d, %zero ], [ %d, %one ], [ %d, %two ], [ %d, %loop ], [ %d, %loop ], [ %d, %seven ]
  %e3 = phi i64 [ %e, %zero ], [ %e2, %one ], [ %e, %two ], [ %e, %loop ], [ %e, %loop ], [ %e, %seven ]
  %f3 = phi i64 [ %f, %zero ], [ %f, %one ], [ %f, %two ], [ %f, %loop ], [ %f, %loop ], [ %f2, %seven ]
  %g3 = phi i64 [ %g, %zero ], [ %g, %one ], [ %g2, %two ], [ %g, %loop ], [ %g, %loop ], [ %g, %seven ]
  %i2 = add i64 %i, 1
  %again = icmp ult i64 %i2, %n
  br i1 %again, label %loop, label %end
end:
  %s1 = add i64 %a3, %b3
  %s2 = mul i64 %s1, %c3
  %s3 = add i64 %s2, %d3
  %s4 = mul i64 %s3, %e3
  %s5 = add i64 %s4, %f3
  %s6 = xor i64 %s5, %g3
  ret i64 %s6
}

; More than there are registers go round, of several kinds.
define i64 @round(i64 %n, i128 %wide) {
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %i2, %loop ]
  %a = phi i64 [ 1, %entry ], [ %b, %loop ]
  %b = phi i64 [ 2, %entry ], [ %c, %loop ]
  %c = phi i64 [ 3, %entry ], [ %d, %loop ]
  %d = phi i64 [ 4, %entry ], [ %e, %loop ]
  %e = phi i64 [ 5, %entry ], [ %f, %loop ]
  %f = phi i64 [ 6, %entry ], [ %g, %loop ]
  %g = phi i64 [ 7, %entry ], [ %h, %loop ]
  %h = phi i64 [ 8, %entry ], [ %a, %loop ]
  %x = phi float [ 1.0, %entry ], [ %y, %loop ]
  %y = phi float [ 2.0, %entry ], [ %x, %loop ]
  %u = phi i128 [ %wide, %entry ], [ %v, %loop ]
  %v = phi i128 [ 77, %entry ], [ %u, %loop ]
  %l = phi x86_fp80 [ 0xK3FFF8000000000000000, %entry ], [ %m, %loop ]
  %m = phi x86_fp80 [ 0xK40008000000000000000, %entry ], [ %l, %loop ]
  %i2 = add i64 %i, 1
  %again = icmp ult i64 %i2, %n
  br i1 %again, label %loop, label %end
end:
  %a2 = mul i64 %a, 9
  %ab = add i64 %a2, %b
  %c2 = mul i64 %c, 81
  %abc = add i64 %ab, %c2
  %dh = mul i64 %d, %h
  %all = xor i64 %abc, %dh
  %eg = shl i64 %e, %g
  %all2 = add i64 %all, %eg
  %x2 = fptoui float %x to i64
  %all3 = mul i64 %all2, %x2
  %u2 = trunc i128 %u to i64
  %all4 = add i64 %all3, %u2
  %l2 = fptoui x86_fp80 %l to i64
  %all5 = mul i64 %all4, %l2
  %all6 = add i64 %all5, %f
  ret i64 %all6
}

; The edge back is critical: what it writes must not be seen where the loop is left.
define i64 @critical(i64 %n) {
entry:
  br label %loop
loop:
  %i = phi i64 [ %n, %entry ], [ %j, %loop ], [ %i, %other ]
  %k = phi i64 [ 0, %entry ], [ %i, %loop ], [ %l, %other ]
  %j = sub i64 %i, 3
  %again = icmp sgt i64 %j, 10
  br i1 %again, label %loop, label %other
other:
  %l = add i64 %k, 1
  %more = icmp ult i64 %l, 40
  br i1 %more, label %loop, label %end
end:
  %s = phi i64 [ %k, %other ]
  %t = mul i64 %s, 100
  %u = add i64 %t, %i
  ret i64 %u
}

;; A library's function in the place of an instruction, and of an intrinsic.
define double @remainders(i64 %n, double %by) {
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %sum = phi double [ 0.5, %entry ], [ %more, %loop ]
  %left = frem double %sum, %by
  %more = fadd double %left, %by
  %next = add i64 %i, 1
  %on = icmp ult i64 %next, %n
  br i1 %on, label %loop, label %end
end:
  ret double %more
}

declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)

define double @copied(i64 %n, double %by, ptr %to, ptr %from) {
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %sum = phi double [ 0.5, %entry ], [ %more, %loop ]
  call void @llvm.memcpy.p0.p0.i64(ptr %to, ptr %from, i64 %n, i1 false)
  %more = fadd double %sum, %by
  %next = add i64 %i, 1
  %on = icmp ult i64 %next, %n
  br i1 %on, label %loop, label %end
end:
  ret double %more
}

define i64 @run(ptr %out) {
  %sums = call i64 @sums(i64 100)
  store i64 %sums, ptr %out
  %places = call i64 @places(i64 7)
  %at1 = getelementptr i64, ptr %out, i64 1
  store i64 %places, ptr %at1
  %floats = call double @floats(i64 11, double 0.5)
  %at2 = getelementptr i64, ptr %out, i64 2
  store double %floats, ptr %at2
  %called = call i32 @called(i32 50)
  %calleds = zext i32 %called to i64
  %at3 = getelementptr i64, ptr %out, i64 3
  store i64 %calleds, ptr %at3
  %many = call i64 @many(i64 100, i64 3, i64 5, i64 9)
  %at4 = getelementptr i64, ptr %out, i64 4
  store i64 %many, ptr %at4
  %round = call i64 @round(i64 21, i128 123456789012345678901234567890)
  %at5 = getelementptr i64, ptr %out, i64 5
  store i64 %round, ptr %at5
  %critical = call i64 @critical(i64 30)
  %at6 = getelementptr i64, ptr %out, i64 6
  store i64 %critical, ptr %at6
  %remainders = call double @remainders(i64 9, double 0.75)
  %at7 = getelementptr i64, ptr %out, i64 7
  store double %remainders, ptr %at7
  %from = getelementptr i64, ptr %out, i64 1
  %at8 = getelementptr i64, ptr %out, i64 8
  %copied = call double @copied(i64 8, double 0.25, ptr %at8, ptr %from)
  store double %copied, ptr %at8
  ret i64 9
}
