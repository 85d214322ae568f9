; A function of the C library that makes two floats: clang writes the intrinsic where errno does not matter.
target triple = "x86_64-unknown-linux-gnu"

declare { float, float } @llvm.sincos.f32(float)
declare { double, double } @llvm.sincos.f64(double)
declare { x86_fp80, x86_fp80 } @llvm.sincos.f80(x86_fp80)

define void @single(float %x, ptr %out) {
  %both = call { float, float } @llvm.sincos.f32(float %x)
  %sine = extractvalue { float, float } %both, 0
  %cosine = extractvalue { float, float } %both, 1
  %sum = fadd float %sine, %x
  store float %sum, ptr %out
  %a = getelementptr i64, ptr %out, i64 1
  store float %cosine, ptr %a
  ret void
}

define void @double(double %x, ptr %out) {
  %both = call { double, double } @llvm.sincos.f64(double %x)
  store { double, double } %both, ptr %out
  %unused = call { double, double } @llvm.sincos.f64(double %x)
  ret void
}

define void @extended(double %x, ptr %out) {
  %wide = fpext double %x to x86_fp80
  %both = call { x86_fp80, x86_fp80 } @llvm.sincos.f80(x86_fp80 %wide)
  %sine = extractvalue { x86_fp80, x86_fp80 } %both, 0
  %cosine = extractvalue { x86_fp80, x86_fp80 } %both, 1
  %narrow.sine = fptrunc x86_fp80 %sine to double
  %narrow.cosine = fptrunc x86_fp80 %cosine to double
  store double %narrow.sine, ptr %out
  %a = getelementptr i64, ptr %out, i64 1
  store double %narrow.cosine, ptr %a
  ret void
}

define i64 @run(ptr %out) {
  store i64 0, ptr %out
  %a = getelementptr i64, ptr %out, i64 1
  store i64 0, ptr %a
  call void @single(float 0.5, ptr %out)
  %b = getelementptr i64, ptr %out, i64 2
  call void @double(double 0.75, ptr %b)
  %c = getelementptr i64, ptr %out, i64 4
  call void @extended(double 1.25, ptr %c)
  ret i64 6
}
