// The part of Go's text/template that --format needs, over JSON.
//
//   {{.A.B}}  {{$v.A}}  {{(index .Ports "8080/tcp").HostPort}}  {{.Label "key"}}    fields
//   {{json .X}}  {{index .X "key" 0}}  {{.X | printf "%-8s" | upper}}                functions, pipes
//   {{if eq .X "a" "b"}}..{{else if .Y}}..{{else}}..{{end}}  {{with .X}}..{{else}}..{{end}}
//   {{range .X}}..{{else}}..{{end}}  {{range $k, $v := .X}}..{{end}}
//   {{/* a comment */}}  {{- .X -}}                                                  trims blanks
//
// Functions are those of template_functions.cc: Docker's (docs.docker.com, "Format command and log
// output"), and what Go has of comparing and printing. Case is that of ASCII letters.
// Text between actions stands for itself, with \n and \t read as newline and tab. Values print as
// Go prints them; a map is walked in the order of its keys. One thing is stricter than Go: a field
// that is not there is an error (kNotFound) that names those that are, where Go may print "<no
// value>". Every error names the column in the template. Facts: pkg.go.dev/text/template.
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
