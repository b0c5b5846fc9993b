module github.com/yandex-cloud/go-sdk/services/dns

go 1.25.0
