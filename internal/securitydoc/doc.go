// Package securitydoc holds the security model's tables to the tests that they
// name.
package securitydoc
