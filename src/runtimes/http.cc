#include "runtimes/http.h"

#include <curl/curl.h>
#include <dlfcn.h>

#include <memory>

#include "base/result.h"

namespace berth::runtimes {
namespace {

constexpr const char* kLibrary = "libcurl.so.4";  // Debian's libcurl4
constexpr long kConnectMilliseconds = 2000;
constexpr long kTotalMilliseconds = 10000;
constexpr std::size_t kMaxBytes = 4 << 20;  // a container's document has some ten kilobytes

// The part of libcurl that is used, found in the loaded library.
struct Curl {
  decltype(&curl_easy_init) init = nullptr;
  decltype(&curl_easy_setopt) setopt = nullptr;
  decltype(&curl_easy_perform) perform = nullptr;
  decltype(&curl_easy_getinfo) getinfo = nullptr;
  decltype(&curl_easy_cleanup) cleanup = nullptr;
  decltype(&curl_easy_strerror) strerror = nullptr;
};

template <typename Function>
bool find(void* library, const char* name, Function& into) {
  into = reinterpret_cast<Function>(::dlsym(library, name));
  return into != nullptr;
}

Result<Curl> load() {
  auto* const library = ::dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);  // stays for the process's life
  if (library == nullptr)
    return fail(ErrorKind::kUnsupported, "{} cannot be loaded: install libcurl4", kLibrary);
  Curl curl;
  if (find(library, "curl_easy_init", curl.init) &&
      find(library, "curl_easy_setopt", curl.setopt) &&
      find(library, "curl_easy_perform", curl.perform) &&
      find(library, "curl_easy_getinfo", curl.getinfo) &&
      find(library, "curl_easy_cleanup", curl.cleanup) &&
      find(library, "curl_easy_strerror", curl.strerror))
    return curl;
  return fail(ErrorKind::kUnsupported, "{} lacks what berth needs of it", kLibrary);
}

// A CURLOPT_WRITEFUNCTION: less than `count` makes libcurl give up.
std::size_t keep(const char* bytes, std::size_t size, std::size_t count, void* body) {
  auto& text = *static_cast<std::string*>(body);
  if (text.size() + size * count > kMaxBytes) return 0;
  text.append(bytes, size * count);
  return count;
}

}  // namespace

// libcurl's header makes macros of these names, which check types and hide the members.
#undef curl_easy_setopt
#undef curl_easy_getinfo

Result<Answer> http_get(const std::string& socket, const std::string& path) {
  static const auto loaded = load();
  const auto curl = TRY(loaded);
  const std::unique_ptr<CURL, decltype(curl.cleanup)> handle(curl.init(), curl.cleanup);
  if (!handle) return fail(ErrorKind::kIo, "libcurl cannot be used");
  Answer answer;
  const auto url = "http://localhost" + path;
  const auto set = [&](CURLoption option, auto value) { curl.setopt(handle.get(), option, value); };
  set(CURLOPT_UNIX_SOCKET_PATH, socket.c_str());
  set(CURLOPT_URL, url.c_str());
  set(CURLOPT_PROXY, "");  // whatever http_proxy says
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_CONNECTTIMEOUT_MS, kConnectMilliseconds);
  set(CURLOPT_TIMEOUT_MS, kTotalMilliseconds);
  set(CURLOPT_WRITEFUNCTION, &keep);
  set(CURLOPT_WRITEDATA, static_cast<void*>(&answer.body));
  if (const auto done = curl.perform(handle.get()); done != CURLE_OK)
    return fail(ErrorKind::kIo, "{}: {}", socket, curl.strerror(done));
  curl.getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &answer.status);
  return answer;
}

}  // namespace berth::runtimes
