// The part of Go's text/template that --format needs, over JSON.
//
//   {{.A.B}}  {{$v.A}}  {{(index .Ports "8080/tcp").HostPort}}      fields
//   {{json .X}}  {{index .X "key" 0}}  {{len .X}}  {{println .A .B}}  functions
//   {{if .X}}..{{else}}..{{end}}  {{range .X}}..{{else}}..{{end}}  {{range $k, $v := .X}}..{{end}}
//
// Text between actions stands for itself, with \n and \t read as newline and tab. Values print as
// Go prints them; a map is walked in the order of its keys. One thing is stricter than Go: a field
// that is not there is an error that names those that are, where Go may print "<no value>". Every
// error names the column in the template. Facts: pkg.go.dev/text/template.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "berth/result.h"

namespace berth::cli {

class Template {
 public:
  using Json = nlohmann::ordered_json;

  [[nodiscard]] static Result<Template> parse(std::string_view text);
  [[nodiscard]] Result<std::string> render(const Json& data) const;

  struct Node;
  Template(Template&&) noexcept;
  Template& operator=(Template&&) noexcept;
  ~Template();

 private:
  explicit Template(std::vector<Node> nodes);
  std::vector<Node> nodes_;
};

/// Compact JSON; bytes that are no UTF-8 become U+FFFD.
[[nodiscard]] std::string compact(const Template::Json& value);

}  // namespace berth::cli
