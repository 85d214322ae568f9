; At -O2: small functions are inlined before bodies leave, and sizes of objects are told where they are certain.
source_filename = "small.c"
target datalayout = "e-m:e-p270:32:32-p271:32:32-p272:64:64-i64:64-i128:128-f80:128-n8:16:32:64-S128"
target triple = "x86_64-pc-linux-gnu"

@array = global [24 x i8] zeroinitializer

declare void @write(ptr, i64)
declare i64 @llvm.objectsize.i64.p0(ptr, i1 immarg, i1 immarg, i1 immarg)

; Gone, with its variable.
define internal i32 @twice(i32 %x) {
  %variable = alloca i32
  store i32 %x, ptr %variable
  %value = load i32, ptr %variable
  %result = mul i32 %value, 2
  ret i32 %result
}

; Through another that is gone.
define internal i32 @fourfold(i32 %x) {
  %once = call i32 @twice(i32 %x)
  %result = call i32 @twice(i32 %once)
  ret i32 %result
}

define internal i32 @apart(i32 %x) noinline {
  ret i32 %x
}

define internal i32 @assembled() {
  %result = call i32 asm "xorl $0, $0", "=r"()
  ret i32 %result
}

define i32 @caller(i32 %x) {
  %a = call i32 @fourfold(i32 %x)
  %b = call i32 @apart(i32 %a)
  %c = call i32 @assembled()
  %sum = add i32 %b, %c
  ret i32 %sum
}

define internal void @checked(ptr %to) alwaysinline {
  %size = call i64 @llvm.objectsize.i64.p0(ptr %to, i1 false, i1 true, i1 false)
  call void @write(ptr %to, i64 %size)
  ret void
}

; 12 and 24 bytes.
define void @in_sight() {
  %local = alloca [16 x i8]
  %end = getelementptr i8, ptr %local, i64 4
  call void @checked(ptr %end)
  call void @checked(ptr @array)
  ret void
}

; Nothing in the module calls it: unknown.
define void @of_others(ptr %to) {
  %member = getelementptr { i32, ptr }, ptr %to, i64 0, i32 1
  %text = load ptr, ptr %member
  call void @checked(ptr %text)
  ret void
}

; An optimiser may find out: left to it.
define internal void @passed(ptr %to) noinline {
  call void @checked(ptr %to)
  ret void
}

define void @passes() {
  call void @passed(ptr @array)
  ret void
}
