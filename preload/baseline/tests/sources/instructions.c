/* Instructions that programs name, by the functions of compilers' headers: SSE to SSE4.2, AES and carry-less products; with AVX2,
   those on vectors of 256 bits as well. */
#include "check.h"
#include <immintrin.h>

#define NEVER __attribute__((noinline)) static

NEVER void put_ints(__m128i value) {
    uint64_t words[2];
    memcpy(words, &value, sizeof words);
    put(words[0]);
    put(words[1]);
}

/* NaNs of either sign are the same. */
NEVER void put_floats(__m128 value) {
    float lanes[4];
    memcpy(lanes, &value, sizeof lanes);
    for (int i = 0; i < 4; i++) put_float(lanes[i]);
}
NEVER void put_doubles(__m128d value) {
    double lanes[2];
    memcpy(lanes, &value, sizeof lanes);
    for (int i = 0; i < 2; i++) put_double(lanes[i]);
}

NEVER void integers(__m128i a, __m128i b) {
    put_ints(_mm_packs_epi16(a, b));
    put_ints(_mm_packs_epi32(a, b));
    put_ints(_mm_packus_epi16(a, b));
    put_ints(_mm_packus_epi32(a, b));
    put_ints(_mm_madd_epi16(a, b));
    put_ints(_mm_mulhi_epi16(a, b));
    put_ints(_mm_mulhi_epu16(a, b));
    put_ints(_mm_sad_epu8(a, b));
    put_ints(_mm_avg_epu8(a, b));
    put_ints(_mm_avg_epu16(a, b));
    put_ints(_mm_shuffle_epi8(a, b));
    put_ints(_mm_hadd_epi16(a, b));
    put_ints(_mm_hadd_epi32(a, b));
    put_ints(_mm_hadds_epi16(a, b));
    put_ints(_mm_hsub_epi16(a, b));
    put_ints(_mm_hsub_epi32(a, b));
    put_ints(_mm_hsubs_epi16(a, b));
    put_ints(_mm_maddubs_epi16(a, b));
    put_ints(_mm_sign_epi8(a, b));
    put_ints(_mm_sign_epi16(a, b));
    put_ints(_mm_sign_epi32(a, b));
    put_ints(_mm_mulhrs_epi16(a, b));
    put_ints(_mm_minpos_epu16(a));
    put((uint32_t)_mm_movemask_epi8(a));
    put((uint32_t)_mm_testz_si128(a, b));
    put((uint32_t)_mm_testc_si128(a, b));
    put((uint32_t)_mm_testnzc_si128(a, b));
    put((uint32_t)_mm_testc_si128(a, a));
    put_ints(_mm_shuffle_epi8(a, a));
}

NEVER void shifts(__m128i a, int by) {
    __m128i count = _mm_cvtsi32_si128(by);
    put_ints(_mm_sll_epi16(a, count));
    put_ints(_mm_sll_epi32(a, count));
    put_ints(_mm_sll_epi64(a, count));
    put_ints(_mm_srl_epi16(a, count));
    put_ints(_mm_srl_epi32(a, count));
    put_ints(_mm_srl_epi64(a, count));
    put_ints(_mm_sra_epi16(a, count));
    put_ints(_mm_sra_epi32(a, count));
    put_ints(_mm_slli_epi16(a, by));
    put_ints(_mm_slli_epi32(a, by));
    put_ints(_mm_slli_epi64(a, by));
    put_ints(_mm_srli_epi16(a, by));
    put_ints(_mm_srli_epi32(a, by));
    put_ints(_mm_srli_epi64(a, by));
    put_ints(_mm_srai_epi16(a, by));
    put_ints(_mm_srai_epi32(a, by));
    put_ints(_mm_slli_epi16(a, 3));
    put_ints(_mm_srai_epi32(a, 31));
}

NEVER void ciphers(__m128i a, __m128i b) {
    put_ints(_mm_aesenc_si128(a, b));
    put_ints(_mm_aesenclast_si128(a, b));
    put_ints(_mm_aesdec_si128(a, b));
    put_ints(_mm_aesdeclast_si128(a, b));
    put_ints(_mm_aesimc_si128(a));
    put_ints(_mm_aeskeygenassist_si128(a, 0x1b));
    put_ints(_mm_clmulepi64_si128(a, b, 0x00));
    put_ints(_mm_clmulepi64_si128(a, b, 0x11));
}

NEVER void floats(__m128 a, __m128 b) {
    put_floats(_mm_min_ps(a, b));
    put_floats(_mm_hadd_ps(a, b));
    put_floats(_mm_hsub_ps(a, b));
    put_floats(_mm_addsub_ps(a, b));
    put_floats(_mm_max_ps(a, b));
    put_floats(_mm_min_ss(a, b));
    put_floats(_mm_max_ss(a, b));
    put_ints(_mm_castps_si128(_mm_cmplt_ps(a, b)));
    put_ints(_mm_castps_si128(_mm_cmpunord_ps(a, b)));
    put_floats(_mm_and_ps(_mm_cmpneq_ss(a, b), b));
    put_floats(_mm_round_ps(a, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC));
    put_floats(_mm_round_ss(a, b, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC));
    put_floats(_mm_dp_ps(a, b, 0xf1));
    put_floats(_mm_insert_ps(a, b, 0x98));
    put_ints(_mm_cvtps_epi32(a));
    put_ints(_mm_cvttps_epi32(a));
    put((uint32_t)_mm_movemask_ps(a));
    put((uint32_t)_mm_cvtss_si32(a));
    put((uint32_t)_mm_cvttss_si32(a));
    put((uint64_t)_mm_cvtss_si64(a));
    put((uint64_t)_mm_cvttss_si64(a));
    /* These have twelve bits. */
    put_ints(_mm_and_si128(_mm_castps_si128(_mm_rcp_ps(a)), _mm_set1_epi32(0x7ff00000)));
    put_ints(_mm_and_si128(_mm_castps_si128(_mm_rsqrt_ss(a)), _mm_set1_epi32(0x7ff00000)));
}

NEVER void doubles(__m128d a, __m128d b) {
    put_doubles(_mm_min_pd(a, b));
    put_doubles(_mm_max_pd(a, b));
    put_doubles(_mm_min_sd(a, b));
    put_doubles(_mm_max_sd(a, b));
    put_ints(_mm_castpd_si128(_mm_cmple_pd(a, b)));
    put_ints(_mm_castpd_si128(_mm_cmpord_sd(a, b)));
    put_doubles(_mm_round_pd(a, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC));
    put_doubles(_mm_round_sd(a, b, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
    put_doubles(_mm_dp_pd(a, b, 0x31));
    put((uint32_t)_mm_movemask_pd(a));
    put((uint32_t)_mm_cvtsd_si32(a));
    put((uint32_t)_mm_cvttsd_si32(a));
    put((uint64_t)_mm_cvtsd_si64(a));
    put((uint64_t)_mm_cvttsd_si64(a));
}

NEVER void checksums(uint64_t a, uint64_t b) {
    put(_mm_crc32_u8((uint32_t)a, (uint8_t)b));
    put(_mm_crc32_u32((uint32_t)a, (uint32_t)b));
    put(_mm_crc32_u64(a, b));
}

NEVER void fences(void) {
    _mm_pause();
    _mm_lfence();
    _mm_mfence();
    _mm_sfence();
    put(__rdtsc() != 0);
    __asm__ volatile("pause");
    __asm__ volatile("rep; nop" ::: "memory");
    __asm__ volatile("mfence\n\t" ::: "memory");
    __asm__ volatile("lfence;");
    __asm__ volatile("sfence");
}

#ifdef __AVX2__
NEVER void put_wide(__m256i value) {
    put_ints(_mm256_castsi256_si128(value));
    put_ints(_mm256_extracti128_si256(value, 1));
}

NEVER void halves(__m128i low, __m128i high, int by) {
    __m256i a = _mm256_set_m128i(high, low), b = _mm256_set_m128i(low, high);
    __m128i count = _mm_cvtsi32_si128(by);
    put_wide(_mm256_packs_epi16(a, b));
    put_wide(_mm256_packus_epi32(a, b));
    put_wide(_mm256_madd_epi16(a, b));
    put_wide(_mm256_mulhi_epu16(a, b));
    put_wide(_mm256_sad_epu8(a, b));
    put_wide(_mm256_avg_epu8(a, b));
    put_wide(_mm256_shuffle_epi8(a, b));
    put_wide(_mm256_hadd_epi32(a, b));
    put_wide(_mm256_maddubs_epi16(a, b));
    put_wide(_mm256_sign_epi16(a, b));
    put_wide(_mm256_sll_epi16(a, count));
    put_wide(_mm256_srli_epi64(a, by));
    put_wide(_mm256_srai_epi32(a, 5));
    put((uint32_t)_mm256_movemask_epi8(a));
    put((uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(a)));
    put((uint32_t)_mm256_movemask_pd(_mm256_castsi256_pd(b)));
    put_wide(_mm256_castps_si256(_mm256_round_ps(_mm256_cvtepi32_ps(a), _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC)));
    put_wide(_mm256_castpd_si256(_mm256_hadd_pd(_mm256_cvtepi32_pd(low), _mm256_cvtepi32_pd(high))));
    put_wide(_mm256_castpd_si256(_mm256_hsub_pd(_mm256_cvtepi32_pd(low), _mm256_cvtepi32_pd(high))));
    put_wide(_mm256_castps_si256(_mm256_addsub_ps(_mm256_cvtepi32_ps(a), _mm256_cvtepi32_ps(b))));
    put_wide(_mm256_castpd_si256(_mm256_max_pd(_mm256_castsi256_pd(a), _mm256_castsi256_pd(b))));
}
#endif

static void check(void) {
    static const uint64_t words[] = {0, ~0ull, 0x8000800080008000, 0x7fff7fff7fff7fff, 0x0123456789abcdef, 0xfedcba9876543210,
        0x0f0e0d0c0b0a0908, 0x8001020304850607, 0x00000001ffffffff, 0x7f80ff0180feff02};
    static const float singles[] = {0, -0.0f, 1.5f, -2.5f, 1e10f, -3e38f, __builtin_nanf(""), __builtin_inff(), 0.1f};
    enum { WORDS = sizeof words / sizeof *words, SINGLES = sizeof singles / sizeof *singles };
    for (int i = 0; i < WORDS; i++) {
        __m128i a = _mm_set_epi64x((long long)words[i], (long long)words[(i + 3) % WORDS]);
        __m128i b = _mm_set_epi64x((long long)words[(i * 7 + 1) % WORDS], (long long)words[(i + 5) % WORDS]);
        integers(a, b);
        shifts(a, i * 7 - 8);
        ciphers(a, b);
        checksums(words[i], words[(i + 4) % WORDS]);
#ifdef __AVX2__
        halves(a, b, i * 9 - 8);
#endif
    }
    for (int i = 0; i < SINGLES; i++) {
        float x = singles[i], y = singles[(i + 1) % SINGLES], z = singles[(i + 4) % SINGLES];
        floats(_mm_set_ps(x, y, z, 3), _mm_set_ps(y, x, 4, z));
        floats(_mm_set_ps(2, 1, 0, x), _mm_set_ps(1, 2, 3, y));
        doubles(_mm_set_pd(x, y), _mm_set_pd(z, x));
    }
    fences();
}
