module github.com/ucloud/ucloud-sdk-go

go 1.25.0
