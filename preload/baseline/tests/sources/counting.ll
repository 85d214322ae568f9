; Functions that count, with values of many kinds live in their loops.
target datalayout = "e-m:e-p270:32:32-p271:32:32-p272:64:64-i64:64-i128:128-f80:128-n8:16:32:64-S128"
target triple = "x86_64-pc-linux-gnu"

%triple = type { i64, i64, i64 }

declare i32 @__gxx_personality_v0(...)

define void @nothing_else() {
  ret void
}

; `var` lives in a register, `mem` in memory; `stacked` comes on the stack.
define i64 @everything(i8 %a, i64 %b, i128 %c, double %d, float %e, <4 x i32> %v, <8 x i32> %w, ptr %out, i64 %six,
                       i64 %stacked, ptr byval(%triple) %t, x86_fp80 %x) {
entry:
  %var = alloca i64
  %mem = alloca [4 x i32]
  %pair = insertvalue { ptr, i32 } { ptr null, i32 7 }, ptr %out, 0
  %before = mul i64 %b, 3
  store i64 %b, ptr %var
  store [4 x i32] [i32 1, i32 2, i32 3, i32 4], ptr %mem
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %j, %loop ]
  %f = phi double [ 0.0, %entry ], [ %g, %loop ]
  %l = load i64, ptr %var
  %m = add i64 %l, %i
  store i64 %m, ptr %var
  %j = add i64 %i, 1
  %g = fadd double %f, %d
  %more = icmp ult i64 %j, 100
  br i1 %more, label %loop, label %end
end:
  %last = load i64, ptr %var
  store i64 %last, ptr %out
  %out1 = getelementptr i64, ptr %out, i64 1
  store i8 %a, ptr %out1
  %out2 = getelementptr i64, ptr %out, i64 2
  store i128 %c, ptr %out2, align 8
  %out4 = getelementptr i64, ptr %out, i64 4
  store double %g, ptr %out4
  %out5 = getelementptr i64, ptr %out, i64 5
  store float %e, ptr %out5
  %out6 = getelementptr i64, ptr %out, i64 6
  store <4 x i32> %v, ptr %out6, align 8
  %out8 = getelementptr i64, ptr %out, i64 8
  store <8 x i32> %w, ptr %out8, align 8
  %out12 = getelementptr i64, ptr %out, i64 12
  store x86_fp80 %x, ptr %out12, align 8
  %out14 = getelementptr i64, ptr %out, i64 14
  %third = getelementptr %triple, ptr %t, i64 0, i32 2
  %thirds = load i64, ptr %third
  store i64 %thirds, ptr %out14
  %out15 = getelementptr i64, ptr %out, i64 15
  %element = getelementptr i32, ptr %mem, i64 2
  %elements = load i32, ptr %element
  store i32 %elements, ptr %out15
  %out16 = getelementptr i64, ptr %out, i64 16
  %first = extractvalue { ptr, i32 } %pair, 0
  store ptr %first, ptr %out16
  %sum = add i64 %before, %stacked
  %sums = add i64 %sum, %six
  ret i64 %sums
}

define void @into(ptr sret(%triple) %result, i64 %n) {
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %j, %loop ]
  %j = add i64 %i, 1
  %more = icmp ult i64 %j, %n
  br i1 %more, label %loop, label %end
end:
  store i64 %j, ptr %result
  ret void
}

define [5 x i64] @large(i64 %n) {
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %j, %loop ]
  %j = add i64 %i, 1
  %more = icmp ult i64 %j, %n
  br i1 %more, label %loop, label %end
end:
  %result = insertvalue [5 x i64] zeroinitializer, i64 %j, 3
  ret [5 x i64] %result
}

; The rest throws; what catches here is in front of it.
define i64 @thrown(i64 %n) personality ptr @__gxx_personality_v0 {
entry:
  %room = alloca i8, i64 %n
  invoke void @nothing_else() to label %loop unwind label %pad
loop:
  %i = phi i64 [ 0, %entry ], [ %j, %loop ]
  %j = add i64 %i, 1
  %more = icmp ult i64 %j, %n
  br i1 %more, label %loop, label %end
end:
  ret i64 %j
pad:
  %exception = landingpad { ptr, i32 } catch ptr null
  ret i64 -1
}

; A structure whose elements lie apart in the frame.
define i32 @pieces(i32 %n, { i32, i32 } %s) {
entry:
  br label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %j, %loop ]
  %j = add i32 %i, 1
  %more = icmp ult i32 %j, %n
  br i1 %more, label %loop, label %end
end:
  %second = extractvalue { i32, i32 } %s, 1
  %k = add i32 %j, %second
  ret i32 %k
}

; The header of the loop is a landing pad.
define i64 @again(i64 %n) personality ptr @__gxx_personality_v0 {
entry:
  invoke void @nothing_else() to label %end unwind label %pad
pad:
  %i = phi i64 [ 0, %entry ], [ %j, %pad ]
  %exception = landingpad { ptr, i32 } catch ptr null
  %j = add i64 %i, 1
  invoke void @nothing_else() to label %end unwind label %pad
end:
  %result = phi i64 [ 0, %entry ], [ %j, %pad ]
  ret i64 %result
}

define i64 @jumps(i64 %n) {
entry:
  br label %outer
outer:
  %i = phi i64 [ 0, %entry ], [ %j, %next ]
  br label %inner
inner:
  %k = phi i64 [ %i, %outer ], [ %l, %odd ], [ %m, %even ]
  %more = icmp ult i64 %k, %n
  br i1 %more, label %body, label %next
body:
  %bit = and i64 %k, 1
  %is_odd = icmp ne i64 %bit, 0
  br i1 %is_odd, label %odd, label %even
odd:
  %l = add i64 %k, 1
  br label %inner
even:
  %m = add i64 %k, 3
  br label %inner
next:
  %j = add i64 %i, 1
  %again = icmp ult i64 %j, %n
  br i1 %again, label %outer, label %end
end:
  ret i64 %k
}

define i64 @nested(i64 %n) {
entry:
  br label %outer
outer:
  %i = phi i64 [ 0, %entry ], [ %j, %next ]
  br label %inner
inner:
  %k = phi i64 [ %i, %outer ], [ %l, %inner ]
  %l = add i64 %k, 1
  %more = icmp ult i64 %l, %n
  br i1 %more, label %inner, label %next
next:
  %j = add i64 %i, 1
  %again = icmp ult i64 %j, %n
  br i1 %again, label %outer, label %end
end:
  ret i64 %l
}
