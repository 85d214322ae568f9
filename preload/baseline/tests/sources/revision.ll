target datalayout = "e-m:e-p270:32:32-p271:32:32-p272:64:64-i64:64-i128:128-f80:128-n8:16:32:64-S128"
target triple = "x86_64-pc-linux-gnu"

%struct.node = type { ptr, i128 }

@.str = private unnamed_addr constant [2 x i8] c"a\00", align 1
@.str.1 = private unnamed_addr constant [2 x i8] c"b\00", align 1
@numbers = external global [16 x i32], align 16
@.str.2 = private unnamed_addr constant [2 x i8] c"c\00", align 1

; Function Attrs: noinline nounwind optnone uwtable
define dso_local i32 @table(i32 noundef %0) #0 {
  %2 = alloca i32, align 4
  %3 = alloca i32, align 4
  store i32 %0, ptr %3, align 4
  %4 = load i32, ptr %3, align 4
  switch i32 %4, label %15 [
    i32 0, label %5
    i32 1, label %7
    i32 2, label %9
    i32 3, label %11
    i32 4, label %12
  ]

5:                                                ; preds = %1
  %6 = call i32 (ptr, ...) @elsewhere(ptr noundef @.str)
  store i32 %6, ptr %2, align 4
  br label %16

7:                                                ; preds = %1
  %8 = call i32 (ptr, ...) @elsewhere(ptr noundef @.str.1, double noundef 2.500000e+00)
  store i32 %8, ptr %2, align 4
  br label %16

9:                                                ; preds = %1
  %10 = load i32, ptr getelementptr inbounds ([16 x i32], ptr @numbers, i64 0, i64 3), align 4
  store i32 %10, ptr %2, align 4
  br label %16

11:                                               ; preds = %1
  store i32 -1, ptr %2, align 4
  br label %16

12:                                               ; preds = %1
  %13 = load i32, ptr %3, align 4
  %14 = call i32 (ptr, ...) @elsewhere(ptr noundef @.str.2, i32 noundef %13)
  store i32 %14, ptr %2, align 4
  br label %16

15:                                               ; preds = %1
  store i32 9, ptr %2, align 4
  br label %16

16:                                               ; preds = %15, %12, %11, %9, %7, %5
  %17 = load i32, ptr %2, align 4
  ret i32 %17
}

declare i32 @elsewhere(ptr noundef, ...) #1

; Function Attrs: noinline nounwind optnone uwtable
define dso_local i32 @sum(ptr noundef %0, i32 noundef %1) #0 {
  %3 = alloca ptr, align 8
  %4 = alloca i32, align 4
  %5 = alloca i32, align 4
  %6 = alloca i32, align 4
  store ptr %0, ptr %3, align 8
  store i32 %1, ptr %4, align 4
  store i32 0, ptr %5, align 4
  store i32 0, ptr %6, align 4
  br label %7

7:                                                ; preds = %25, %2
  %8 = load i32, ptr %6, align 4
  %9 = load i32, ptr %4, align 4
  %10 = icmp slt i32 %8, %9
  br i1 %10, label %11, label %28

11:                                               ; preds = %7
  %12 = load ptr, ptr %3, align 8
  %13 = load i32, ptr %6, align 4
  %14 = sext i32 %13 to i64
  %15 = getelementptr inbounds i32, ptr %12, i64 %14
  %16 = load i32, ptr %15, align 4
  %17 = load i32, ptr %6, align 4
  %18 = and i32 %17, 15
  %19 = sext i32 %18 to i64
  %20 = getelementptr inbounds [16 x i32], ptr @numbers, i64 0, i64 %19
  %21 = load i32, ptr %20, align 4
  %22 = mul nsw i32 %16, %21
  %23 = load i32, ptr %5, align 4
  %24 = add nsw i32 %23, %22
  store i32 %24, ptr %5, align 4
  br label %25

25:                                               ; preds = %11
  %26 = load i32, ptr %6, align 4
  %27 = add nsw i32 %26, 1
  store i32 %27, ptr %6, align 4
  br label %7, !llvm.loop !5

28:                                               ; preds = %7
  %29 = load i32, ptr %5, align 4
  ret i32 %29
}

; Function Attrs: noinline nounwind optnone uwtable
define dso_local ptr @text(i32 noundef %0) #0 {
  %2 = alloca i32, align 4
  %3 = alloca ptr, align 8
  %4 = alloca i32, align 4
  store i32 %0, ptr %2, align 4
  %5 = load i32, ptr %2, align 4
  %6 = sext i32 %5 to i64
  %7 = call ptr @allocate(i64 noundef %6)
  store ptr %7, ptr %3, align 8
  store i32 0, ptr %4, align 4
  br label %8

8:                                                ; preds = %17, %1
  %9 = load i32, ptr %4, align 4
  %10 = load i32, ptr %2, align 4
  %11 = icmp slt i32 %9, %10
  br i1 %11, label %12, label %20

12:                                               ; preds = %8
  %13 = load ptr, ptr %3, align 8
  %14 = load i32, ptr %4, align 4
  %15 = sext i32 %14 to i64
  %16 = getelementptr inbounds i8, ptr %13, i64 %15
  store i8 120, ptr %16, align 1
  br label %17

17:                                               ; preds = %12
  %18 = load i32, ptr %4, align 4
  %19 = add nsw i32 %18, 1
  store i32 %19, ptr %4, align 4
  br label %8, !llvm.loop !7

20:                                               ; preds = %8
  %21 = load ptr, ptr %3, align 8
  ret ptr %21
}

declare ptr @allocate(i64 noundef) #1

; Function Attrs: noinline nounwind optnone uwtable
define dso_local double @scale(double noundef %0, float noundef %1) #0 {
  %3 = alloca double, align 8
  %4 = alloca float, align 4
  store double %0, ptr %3, align 8
  store float %1, ptr %4, align 4
  %5 = load double, ptr %3, align 8
  %6 = load float, ptr %4, align 4
  %7 = fpext float %6 to double
  %8 = fmul double %5, %7
  %9 = fpext double %8 to x86_fp80
  %10 = load double, ptr %3, align 8
  %11 = fpext double %10 to x86_fp80
  %12 = fdiv x86_fp80 %11, 0xK4000C000000000000000
  %13 = fadd x86_fp80 %9, %12
  %14 = fptrunc x86_fp80 %13 to double
  ret double %14
}

; Function Attrs: noinline nounwind optnone uwtable
define dso_local i128 @walk(ptr noundef %0) #0 {
  %2 = alloca ptr, align 8
  %3 = alloca i128, align 16
  store ptr %0, ptr %2, align 8
  %4 = call i32 @sum(ptr noundef @numbers, i32 noundef 16)
  %5 = sext i32 %4 to i128
  store i128 %5, ptr %3, align 16
  br label %6

6:                                                ; preds = %16, %1
  %7 = load ptr, ptr %2, align 8
  %8 = icmp ne ptr %7, null
  br i1 %8, label %9, label %20

9:                                                ; preds = %6
  %10 = load ptr, ptr %2, align 8
  %11 = getelementptr inbounds nuw %struct.node, ptr %10, i32 0, i32 1
  %12 = load i128, ptr %11, align 16
  %13 = sdiv i128 %12, 3
  %14 = load i128, ptr %3, align 16
  %15 = add nsw i128 %14, %13
  store i128 %15, ptr %3, align 16
  br label %16

16:                                               ; preds = %9
  %17 = load ptr, ptr %2, align 8
  %18 = getelementptr inbounds nuw %struct.node, ptr %17, i32 0, i32 0
  %19 = load ptr, ptr %18, align 16
  store ptr %19, ptr %2, align 8
  br label %6, !llvm.loop !8

20:                                               ; preds = %6
  %21 = load i128, ptr %3, align 16
  ret i128 %21
}

define <8 x float> @wide(i32 %0, <8 x float> %1, <16 x i32> %2, ptr byval(<8 x float>) align 32 %3) "target-features"="+avx" {
  %5 = load <8 x float>, ptr %3, align 32
  %6 = call <8 x float> @wide(i32 %0, <8 x float> %5, <16 x i32> %2, ptr byval(<8 x float>) align 32 %3)
  %7 = fadd <8 x float> %6, %1
  ret <8 x float> %7
}

attributes #0 = { noinline nounwind optnone uwtable "frame-pointer"="all" "min-legal-vector-width"="0" "no-trapping-math"="true" "stack-protector-buffer-size"="8" "target-cpu"="x86-64" "target-features"="+cmov,+cx8,+fxsr,+mmx,+sse,+sse2,+x87" "tune-cpu"="generic" }
attributes #1 = { "frame-pointer"="all" "no-trapping-math"="true" "stack-protector-buffer-size"="8" "target-cpu"="x86-64" "target-features"="+cmov,+cx8,+fxsr,+mmx,+sse,+sse2,+x87" "tune-cpu"="generic" }

!llvm.module.flags = !{!0, !1, !2, !3, !4}

!0 = !{i32 1, !"wchar_size", i32 4}
!1 = !{i32 8, !"PIC Level", i32 2}
!2 = !{i32 7, !"PIE Level", i32 2}
!3 = !{i32 7, !"uwtable", i32 2}
!4 = !{i32 7, !"frame-pointer", i32 2}
!5 = distinct !{!5, !6}
!6 = !{!"llvm.loop.mustprogress"}
!7 = distinct !{!7, !6}
!8 = distinct !{!8, !6}
