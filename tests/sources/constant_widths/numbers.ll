; The second unit of constant_widths.c.
target datalayout = "e-m:e-p270:32:32-p271:32:32-p272:64:64-i64:64-i128:128-f80:128-n8:16:32:64-S128"
target triple = "x86_64-pc-linux-gnu"

@numbers_of = private unnamed_addr constant { ptr, i1, i7, i24, ptr, i17 } { ptr inttoptr (i32 -5 to ptr), i1 true, i7 -1, i24 -2, ptr inttoptr (i8 -1 to ptr), i17 31 }
@packed_of = private unnamed_addr constant { <8 x i1>, i8 } { <8 x i1> <i1 true, i1 false, i1 true, i1 false, i1 false, i1 true, i1 false, i1 true>, i8 17 }

declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)

define void @numbers(ptr %out) {
  call void @llvm.memcpy.p0.p0.i64(ptr %out, ptr @numbers_of, i64 32, i1 false)
  ret void
}

define void @packed(ptr %out) {
  call void @llvm.memcpy.p0.p0.i64(ptr %out, ptr @packed_of, i64 2, i1 false)
  ret void
}
