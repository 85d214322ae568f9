; Functions that are continued at one of their loops. Values are numbered in the order of their definitions, arguments first.
target datalayout = "e-m:e-p270:32:32-p271:32:32-p272:64:64-i64:64-i128:128-f80:128-n8:16:32:64-S128"
target triple = "x86_64-pc-linux-gnu"

declare ptr @llvm.stacksave.p0()
declare void @llvm.stackrestore.p0(ptr)
declare ptr @llvm.frameaddress.p0(i32)
declare i32 @setjmp(ptr) returns_twice
declare void @llvm.lifetime.start.p0(ptr)
declare void @llvm.lifetime.end.p0(ptr)

; n 0, i 1, total 2, i.next 3, total.next 4, done 5
define i64 @phis(i64 %n) {
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %i.next, %loop ]
  %total = phi i64 [ 7, %entry ], [ %total.next, %loop ]
  %i.next = add i64 %i, 1
  %total.next = add i64 %total, %i
  %done = icmp uge i64 %i.next, %n
  br i1 %done, label %out, label %loop
out:
  ret i64 %total.next
}

; n 0, see 1, i 2, total 3
define double @variables(i32 %n, ptr %see) {
entry:
  %i = alloca i32
  %total = alloca double
  call void @llvm.lifetime.start.p0(ptr %i)
  store i32 0, ptr %i
  store double 0.0, ptr %total
  br label %loop
loop:
  %now = load i32, ptr %i
  %more = icmp slt i32 %now, %n
  br i1 %more, label %body, label %out
body:
  call void %see(ptr %total)
  %next = add i32 %now, 1
  store i32 %next, ptr %i
  br label %loop
out:
  call void @llvm.lifetime.end.p0(ptr %i)
  %result = load double, ptr %total
  ret double %result
}

; rows 0, flag 1, row 2, base 3, start 4, column 5, sum 6
; The inner loop is continued: `base` and `start` are computed again for the rows behind it, `flag` is not.
define i64 @nested(i64 %rows, i1 %flag) {
entry:
  br label %outer
outer:
  %row = phi i64 [ 0, %entry ], [ %row.next, %latch ]
  %base = mul i64 %row, 10
  %start = add i64 %base, 1
  br label %inner
inner:
  %column = phi i64 [ 0, %outer ], [ %column.next, %inner ]
  %sum = phi i64 [ %start, %outer ], [ %sum.next, %inner ]
  %sum.next = add i64 %sum, %base
  %column.next = add i64 %column, 1
  %inner.more = icmp ult i64 %column.next, 3
  br i1 %inner.more, label %inner, label %latch
latch:
  %row.next = add i64 %row, 1
  %outer.more = icmp ult i64 %row.next, %rows
  br i1 %outer.more, label %outer, label %out
out:
  %added = zext i1 %flag to i64
  %result = add i64 %sum.next, %added
  ret i64 %result
}

; n 0, i 1, j 3, k 5, sum 6
; The innermost loop is continued, which leads on to each of those around it, and out of all.
define i64 @deep(i64 %n) {
entry:
  br label %first
first:
  %i = phi i64 [ 0, %entry ], [ %i.next, %first.latch ]
  %sum.first = phi i64 [ 1, %entry ], [ %sum.latch, %first.latch ]
  br label %second
second:
  %j = phi i64 [ %i, %first ], [ %j.next, %second.latch ]
  %sum.second = phi i64 [ %sum.first, %first ], [ %sum.third, %second.latch ]
  br label %third
third:
  %k = phi i64 [ 0, %second ], [ %k.next, %third.latch ]
  %sum = phi i64 [ %sum.second, %second ], [ %sum.next, %third.latch ]
  %product = mul i64 %sum, 31
  %more = add i64 %product, %j
  %sum.next = add i64 %more, %k
  %way = and i64 %sum.next, 255
  switch i64 %way, label %third.latch [
    i64 7, label %out
    i64 9, label %first.latch
    i64 73, label %first.latch
    i64 137, label %first.latch
    i64 11, label %second.latch
    i64 75, label %second.latch
    i64 139, label %second.latch
  ]
third.latch:
  %k.next = add i64 %k, 1
  %third.more = icmp ult i64 %k.next, 5
  br i1 %third.more, label %third, label %second.latch
second.latch:
  %sum.third = phi i64 [ %sum.next, %third ], [ %sum.next, %third ], [ %sum.next, %third ], [ %sum.next, %third.latch ]
  %j.next = add i64 %j, 1
  %second.more = icmp ult i64 %j.next, 12
  br i1 %second.more, label %second, label %first.latch
first.latch:
  %sum.latch = phi i64 [ %sum.next, %third ], [ %sum.next, %third ], [ %sum.next, %third ], [ %sum.third, %second.latch ]
  %i.next = add i64 %i, 1
  %first.more = icmp ult i64 %i.next, %n
  br i1 %first.more, label %first, label %out
out:
  %result = phi i64 [ %sum.next, %third ], [ %sum.latch, %first.latch ]
  ret i64 %result
}

; rows 0, row 1, column 3, sum 4
; Optimisers know what the inner loop comes to as long as it begins with 0.
define i64 @known(i64 %rows) {
entry:
  br label %outer
outer:
  %row = phi i64 [ 0, %entry ], [ %row.next, %latch ]
  %start = phi i64 [ 0, %entry ], [ %sum.next, %latch ]
  br label %inner
inner:
  %column = phi i64 [ 0, %outer ], [ %column.next, %inner ]
  %sum = phi i64 [ %start, %outer ], [ %sum.next, %inner ]
  %sum.next = add i64 %sum, %column
  %column.next = add i64 %column, 1
  %inner.more = icmp ult i64 %column.next, 1000
  br i1 %inner.more, label %inner, label %latch
latch:
  %row.next = add i64 %row, 1
  %outer.more = icmp ult i64 %row.next, %rows
  br i1 %outer.more, label %outer, label %out
out:
  ret i64 %sum.next
}

%pair = type { i64, double }
; n 0, scale 1, wide 2, vector 3, small 4, i 5
define %pair @types(i64 %n, float %scale, i128 %wide, <4 x i32> %vector, i7 %small) {
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %i.next, %loop ]
  %i.next = add i64 %i, 1
  %more = icmp ult i64 %i.next, %n
  br i1 %more, label %loop, label %out
out:
  %high = lshr i128 %wide, 64
  %word = trunc i128 %high to i64
  %lane = extractelement <4 x i32> %vector, i32 2
  %lane.wide = zext i32 %lane to i64
  %small.wide = zext i7 %small to i64
  %a = add i64 %i.next, %word
  %b = add i64 %a, %lane.wide
  %c = add i64 %b, %small.wide
  %d = fpext float %scale to double
  %one = insertvalue %pair poison, i64 %c, 0
  %two = insertvalue %pair %one, double %d, 1
  ret %pair %two
}

; memory 0, i 1
define i64 @byval(ptr byval([3 x i64]) align 8 %memory) {
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %i.next, %loop ]
  %place = getelementptr i64, ptr %memory, i64 %i
  %found = load i64, ptr %place
  %i.next = add i64 %i, 1
  %more = icmp eq i64 %found, 0
  br i1 %more, label %loop, label %out
out:
  ret i64 %found
}

; n 0, saved 1, i 2
define i64 @saves(i64 %n) {
entry:
  %saved = call ptr @llvm.stacksave.p0()
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %i.next, %loop ]
  %i.next = add i64 %i, 1
  %more = icmp ult i64 %i.next, %n
  br i1 %more, label %loop, label %out
out:
  %room = alloca i64, i64 %i.next
  store i64 4, ptr %room
  %four = load volatile i64, ptr %room
  call void @llvm.stackrestore.p0(ptr %saved)
  %sum = add i64 %i.next, %four
  ret i64 %sum
}

define ptr @frame(i64 %n) {
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %i.next, %loop ]
  %i.next = add i64 %i, 1
  %more = icmp ult i64 %i.next, %n
  br i1 %more, label %loop, label %out
out:
  %found = call ptr @llvm.frameaddress.p0(i32 0)
  ret ptr %found
}

define void @twice(i64 %n, ptr %buffer) {
entry:
  %first = call i32 @setjmp(ptr %buffer)
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %i.next, %loop ]
  %i.next = add i64 %i, 1
  %more = icmp ult i64 %i.next, %n
  br i1 %more, label %loop, label %out
out:
  ret void
}

; n 0, i 1; calls itself
define i64 @again(i64 %n) {
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %i.next, %loop ]
  %i.next = add i64 %i, 1
  %more = icmp ult i64 %i.next, %n
  br i1 %more, label %loop, label %out
out:
  %less = lshr i64 %n, 1
  %rest = tail call i64 @again(i64 %less)
  ret i64 %rest
}
